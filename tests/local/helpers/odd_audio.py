"""Small files that are whole although a header says otherwise, and files that no reader may take for whole.

Each is a line of `WHOLE` (with the samples that it holds) or of `REFUSED` (with what is said); every reader is tried on
all of them.
"""

from __future__ import annotations

import io
import struct

import numpy as np
import soundfile

RATE = 16000
LONG, SHORT = 9000, 5000  # samples


def noise(samples: int, channels: int = 1) -> np.ndarray:
    """What the files hold, (samples, channels), another for each length."""
    return np.random.default_rng(samples).normal(0, 0.1, (samples, channels))


def encoded(format_name: str, subtype: str, samples: int = LONG, rate: int = RATE, channels: int = 1) -> bytes:
    """Noise in a format of libsndfile's."""
    stream = io.BytesIO()
    soundfile.write(stream, noise(samples, channels), rate, subtype=subtype, format=format_name)
    return stream.getvalue()


def put(data: bytes, at: int, value: int, width: int = 4, order: str = "little") -> bytes:
    """The data with another number at a byte."""
    return (
        data[:at]
        + (value % (1 << 8 * width)).to_bytes(width, "big" if order == "big" else "little")
        + (data[at + width :])
    )


def of_pipe(data: bytes, size: int, riff_size: int | None = None) -> bytes:
    """A WAV whose writer could not go back to its header."""
    at = data.index(b"data")
    return put(put(data, at + 4, size), 4, size + at if riff_size is None else riff_size)


def riff_codec(code: int, payload: bytes, size: int | None = None) -> bytes:
    """MPEG frames in a WAV."""
    fmt = struct.pack("<HHIIHH", code, 1, RATE, 4000, 1, 0) + struct.pack("<HHIHHH", 12, 1, 2, 576, 1, 1393)
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"fact" + struct.pack("<II", 4, 123456)
    body = b"WAVE" + chunks + b"data" + struct.pack("<I", len(payload) if size is None else size) + payload
    return b"RIFF" + struct.pack("<I", len(body)) + body


def id3(length: int) -> bytes:
    """An ID3v2 tag, as a picture of the cover makes it long."""
    size = bytes(length >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\x04\0\0" + size + bytes(range(256)) * (length // 256) + bytes(length % 256)


def layer_2(frames: int, loud_first: bool) -> bytes:
    """Silent frames of MPEG layer II at 16 kHz of changing length: 1152 samples each."""
    indices = [14 if (at < 3) == loud_first else 2 for at in range(frames)]  # 160 and 16 kbit/s
    kbits = {14: 160, 2: 16}
    return b"".join(
        (head := bytes([0xFF, 0xF5, index << 4 | 2 << 2, 0xC0])) + bytes(144 * 1000 * kbits[index] // RATE - len(head))
        for index in indices
    )


def without_total(flac: bytes) -> bytes:
    """A FLAC from a pipe: its STREAMINFO counts no samples and has no checksum."""
    info = int.from_bytes(flac[18:26], "big") >> 36 << 36
    return flac[:18] + info.to_bytes(8, "big") + bytes(16) + flac[42:]


def aiff_of_pipe(data: bytes, size: int, frames: int) -> bytes:
    """An AIFF with sizes that mean nothing."""
    data = put(data, data.index(b"COMM") + 10, frames, order="big")
    return put(put(data, data.index(b"SSND") + 4, size, order="big"), 4, size, order="big")


def sphere_shorten() -> bytes:
    """A SPHERE file whose samples are compressed."""
    fields = (
        "NIST_1A\n   1024\nchannel_count -i 1\nsample_count -i 32000\nsample_rate -i 16000\nsample_n_bytes -i 2\n"
        "sample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n"
    )
    return fields.encode().ljust(1024) + b"ajkg\x02" + bytes(200)


WAV, WAV_24, WAV_FLOAT = (encoded("WAV", subtype) for subtype in ("PCM_16", "PCM_24", "FLOAT"))
ULAW, IMA, MS, GSM = (encoded("WAV", subtype) for subtype in ("ULAW", "IMA_ADPCM", "MS_ADPCM", "GSM610"))
AIFF, AU, CAF, W64, RF64, SPHERE = (encoded(name, "PCM_16") for name in ("AIFF", "AU", "CAF", "W64", "RF64", "NIST"))
FLAC, FLAC_SHORT = encoded("FLAC", "PCM_16"), encoded("FLAC", "PCM_16", SHORT)
VORBIS, VORBIS_SHORT = encoded("OGG", "VORBIS"), encoded("OGG", "VORBIS", SHORT)
OPUS, OPUS_SHORT = encoded("OGG", "OPUS"), encoded("OGG", "OPUS", SHORT)
MP3, MP3_SHORT = encoded("MP3", "MPEG_LAYER_III"), encoded("MP3", "MPEG_LAYER_III", SHORT)
XING_BYTES = 288  # of the first frame, which counts the others
BARE, BARE_SHORT = MP3[XING_BYTES:], MP3_SHORT[XING_BYTES:]
FLAC_8K, VORBIS_8K = encoded("FLAC", "PCM_16", SHORT, 8000), encoded("OGG", "VORBIS", SHORT, 8000)
MP3_8K = encoded("MP3", "MPEG_LAYER_III", SHORT, 8000)
TWO_RATES = "8000 Hz with 1 channels and 16000 Hz"
M4A = b"\0\0\0\x18ftypM4A " + bytes(100)
APE = b"APETAGEX" + struct.pack("<IIII", 2000, 32 + 40, 1, 0xA0000000) + bytes(8) + bytes(40)
APE += b"APETAGEX" + struct.pack("<IIII", 2000, 32 + 40, 1, 0x80000000) + bytes(8)
LIST = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"Lavf59.27.100\0"

IMA_SAMPLES, MS_SAMPLES, GSM_SAMPLES = 9153, 9108, 9600  # whole blocks
BARE_SAMPLES, BARE_SHORT_SAMPLES = 18 * 576 - 529, 11 * 576 - 529  # whole frames, without the decoder's delay
UNKNOWN = (0, 0xFFFFFFFF, 0x7FFFF000, 0x7FFFEFFF, 0x7FFFFFFF, 0x7FFFFFDB, 0x80000000, 0x80000024, 0xFFFFFFD3)

WHOLE: dict[str, tuple[str, bytes, int]] = {  # name -> (extension, content, samples)
    **{f"wav of a pipe, size {size:#x}": (".wav", of_pipe(WAV, size), LONG) for size in UNKNOWN},
    **{f"24-bit wav of a pipe, size {size:#x}": (".wav", of_pipe(WAV_24, size), LONG) for size in UNKNOWN},
    "wav of a pipe, float": (".wav", of_pipe(WAV_FLOAT, 0x7FFFF000 - 4), LONG),
    "wav of a pipe, mu-law": (".wav", of_pipe(ULAW, 0x7FFFF000), LONG),
    "wav of a pipe, IMA ADPCM": (".wav", of_pipe(IMA, 0xFFFFFFFF), IMA_SAMPLES),
    "wav of a pipe, MS ADPCM": (".wav", of_pipe(MS, 0), MS_SAMPLES),
    "wav of a pipe, GSM": (".wav", of_pipe(GSM, 0x7FFFF000), GSM_SAMPLES),
    "wav of a pipe, both sizes 0": (".wav", of_pipe(WAV, 0, 0), LONG),
    "wav, mu-law": (".wav", ULAW, LONG),
    "wav, IMA ADPCM": (".wav", IMA, IMA_SAMPLES),
    "wav, GSM": (".wav", GSM, GSM_SAMPLES),
    "wav with a riff size one too small": (".wav", put(WAV, 4, len(WAV) - 9), LONG),
    "wav with a chunk after the samples": (".wav", WAV + LIST, LONG),
    "wav of odd size, padded, with a chunk": (".wav", encoded("WAV", "PCM_U8", SHORT + 1) + LIST, SHORT + 1),
    "wav of odd size, not padded, with a chunk": (".wav", encoded("WAV", "PCM_U8", SHORT + 1)[:-1] + LIST, SHORT + 1),
    "wav with an ID3v1 tag": (".wav", WAV + b"TAG" + bytes(125), LONG),
    "wav after an ID3v2 tag": (".wav", id3(700) + WAV, LONG),
    "wav with zeros to the block's end": (".wav", WAV + bytes(9000), LONG),
    "wav named as if it had no header": (".raw", WAV, LONG),
    "mp3 in wav": (".wav", riff_codec(0x55, BARE), BARE_SAMPLES),
    "mp3 in wav, with its Xing header": (".wav", riff_codec(0x55, MP3), LONG),
    "mp3 in wav of a pipe": (".wav", riff_codec(0x55, BARE, 0xFFFFFFFF), BARE_SAMPLES),
    "layer II in wav": (".wav", riff_codec(0x50, layer_2(8, False)), 8 * 1152),
    "rf64 of a pipe, ds64 of 0": (".rf64", put(RF64, 28, 0, 8), LONG),
    "rf64 of a pipe, ds64 of -1": (".wav", put(RF64, 28, -1, 8), LONG),
    "w64 of a pipe, 0": (".w64", put(W64, W64.index(b"data") + 16, 0, 8), LONG),
    "w64 of a pipe, -1": (".w64", put(W64, W64.index(b"data") + 16, -1, 8), LONG),
    "w64 of a pipe, sox": (".w64", put(W64, W64.index(b"data") + 16, 0x7FFFF000 + 24, 8), LONG),
    "aiff of a pipe, sox": (".aiff", aiff_of_pipe(AIFF, 0x7F000008, 0x7F000000 // 2), LONG),
    "aiff of a pipe, 0": (".aiff", aiff_of_pipe(AIFF, 0, 0), LONG),
    "aiff of a pipe, -1": (".aiff", aiff_of_pipe(AIFF, -1, -1), LONG),
    "au of a pipe": (".au", put(AU, 8, -1, order="big"), LONG),
    "au of a pipe, 0": (".au", put(AU, 8, 0, order="big"), LONG),
    "au with a tag after": (".au", AU + b"TAG" + bytes(125), LONG),
    "caf of a pipe": (".caf", put(CAF, CAF.index(b"data") + 4, -1, 8, "big"), LONG),
    "sphere": (".sph", SPHERE, LONG),
    "sphere with zeros after": (".sph", SPHERE + bytes(1000), LONG),
    "flac of a pipe": (".flac", without_total(FLAC), LONG),
    "flac of a pipe, stereo": (".flac", without_total(encoded("FLAC", "PCM_24", LONG, channels=2)), LONG),
    "flac of a pipe, with an ID3v1 tag": (".flac", without_total(FLAC) + b"TAG" + bytes(125), LONG),
    "flac after an ID3v2 tag": (".flac", id3(9000) + FLAC, LONG),
    "flac, joined": (".flac", FLAC + FLAC_SHORT, LONG + SHORT),
    "flac, joined to itself": (".flac", FLAC + FLAC, 2 * LONG),
    "flac of pipes, joined": (".flac", without_total(FLAC) + without_total(FLAC_SHORT), LONG + SHORT),
    "ogg vorbis, chained": (".ogg", VORBIS + VORBIS_SHORT, LONG + SHORT),
    "ogg vorbis, chained to itself": (".ogg", VORBIS * 3, 3 * LONG),
    "ogg opus, chained": (".opus", OPUS + OPUS_SHORT, LONG + SHORT),
    "ogg with an ID3v1 tag": (".ogg", VORBIS + b"TAG" + bytes(125), LONG),
    "ogg after an ID3v2 tag": (".ogg", id3(300) + VORBIS, LONG),
    "mp3": (".mp3", MP3, LONG),
    "mp3 that nothing counts": (".mp3", BARE, BARE_SAMPLES),
    "mp3 that nothing counts, after a tag": (".mp3", id3(100) + BARE, BARE_SAMPLES),
    "mp3 that nothing counts, after a picture": (".mp3", id3(60000) + BARE, BARE_SAMPLES),
    "mp3 after a picture": (".mp3", id3(60000) + MP3, LONG),
    "mp3 after two tags": (".mp3", id3(200) + id3(300) + MP3, LONG),
    "mp3 with an ID3v1 tag": (".mp3", BARE + b"TAG" + bytes(125), BARE_SAMPLES),
    "mp3 with an APE tag and an ID3v1 tag": (".mp3", BARE + APE + b"TAG" + bytes(125), BARE_SAMPLES),
    "mp3 with zeros after": (".mp3", MP3 + bytes(9000), LONG),
    "mp3, joined": (".mp3", MP3 + MP3_SHORT, LONG + SHORT),
    "mp3, joined, tags between": (".mp3", MP3 + b"TAG" + bytes(125) + id3(50) + MP3_SHORT, LONG + SHORT),
    "mp3 that nothing counts, joined": (".mp3", BARE + BARE_SHORT, BARE_SAMPLES + 11 * 576),
    "mp3 that nothing counts, last frame cut": (".mp3", BARE[:-5], BARE_SAMPLES - 576),
    "mp3 named wav": (".wav", MP3, LONG),
    "layer II, loud at first": (".mp2", layer_2(20, True), 20 * 1152),
    "layer II, loud at last": (".mp3", layer_2(20, False), 20 * 1152),
}

REFUSED: dict[str, tuple[str, bytes, str]] = {  # name -> (extension, content, what is said)
    **{
        f"{name}, cut": (f".{name}", data[: len(data) * 3 // 4], "truncated: the header promises")
        for name, data in (("aiff", AIFF), ("au", AU), ("caf", CAF), ("w64", W64), ("rf64", RF64), ("sph", SPHERE))
    },
    **{
        f"wav, cut, {name}": (".wav", data[: len(data) * 3 // 4], "truncated: the header promises")
        for name, data in (("16 bits", WAV), ("24 bits", WAV_24), ("ADPCM", IMA), ("MP3", riff_codec(0x55, BARE)))
    },
    **{
        f"{name}, joined": (f".{name}", data + data, "another file, joined to it|second wave")
        for name, data in (("aiff", AIFF), ("au", AU), ("caf", CAF), ("w64", W64), ("rf64", RF64), ("sph", SPHERE))
    },
    "wav, joined": (".wav", WAV + WAV, "bytes of data after its data chunk are another file"),
    "wav, joined after a chunk": (".wav", WAV + LIST + WAV_24, "bytes of data after its data chunk are another file"),
    "wav joined to flac": (".wav", WAV + FLAC, "bytes of data after its data chunk are another file"),
    "wav of a pipe, joined": (".wav", of_pipe(WAV, 0xFFFFFFFF) + WAV, "a second wave begins at byte 18044"),
    "wav that counts too little": (".wav", of_pipe(WAV, 2000), "its header counts 2000 of 18000 bytes"),
    "flac, cut": (".flac", FLAC[: len(FLAC) * 3 // 4], "truncated: "),
    "flac of a pipe, cut": (".flac", without_total(FLAC)[: len(FLAC) * 3 // 4], "truncated: "),
    "flac, joined, the second cut": (".flac", FLAC + FLAC_SHORT[:-3000], "truncated: "),
    "flac, joined of two rates": (".flac", FLAC + FLAC_8K, TWO_RATES),
    "ogg, cut": (".ogg", VORBIS[:-200], "truncated: its last page lacks 200 bytes"),
    "ogg, chained, the second cut": (".ogg", VORBIS + VORBIS_SHORT[:-200], "truncated: its last page lacks 200 bytes"),
    "ogg, chained of two rates": (".ogg", VORBIS + VORBIS_8K, TWO_RATES),
    "mp3, cut": (".mp3", MP3[: len(MP3) * 3 // 4], "truncated: its header counts 18 frames, 13 are there"),
    "mp3, its last frame cut": (".mp3", MP3[:-5], "truncated: its header counts 18 frames, 17 are there"),
    "mp3, joined, the first cut": (".mp3", MP3[:2000] + MP3_SHORT, "truncated: its header counts 18 frames"),
    "mp3, joined, the second cut": (".mp3", MP3 + MP3_SHORT[:-500], "truncated: its header counts 11 frames"),
    "mp3, joined of two rates": (".mp3", MP3 + MP3_8K, TWO_RATES),
    "mp3 with a hole": (".mp3", BARE + bytes(9000) + BARE, "damaged: 9000 of"),
    "sphere with shorten": (".sph", sphere_shorten(), r"shorten \(sample_coding pcm,embedded.*sph2pipe"),
    "wav without samples": (".wav", encoded("WAV", "PCM_16", 0), "a header and no samples"),
    "flac without samples": (".flac", without_total(FLAC)[: FLAC.index(b"\xff\xf8")], "a header and no samples"),
    "m4a named wav, without ffmpeg": (".wav", M4A, "is MP4/M4A, which needs ffmpeg, and there is none"),
    "aac after a tag, without ffmpeg": (".mp3", id3(5000) + b"\xff\xf1\x50\x80", "is AAC, which needs ffmpeg"),
    "samples without a header": (".raw", WAV[44:], "without a header|no audio that libsndfile can read"),
    "no audio": (".wav", b"<html>" * 30, "no audio that libsndfile|not audio.*begins b'<html>"),
    "nothing": (".mp3", b"", "empty"),
}
