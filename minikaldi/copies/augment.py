"""augment_data_dir.py: a copy of a data directory with noises added, as wav.scp lines; no audio is read or written.

Background noises last as long as the utterance, repeated if need be; foreground noises follow one another,
`--fg-interval` seconds apart. Each draw depends on the seed, the suffix and the recording alone: neither the order
nor the number of the others changes it. Beyond Kaldi: noises by the utterance's own speaker are not added to it, and
several background noises are of different speakers while there are enough.

Source: steps/data/augment_data_dir.py, by what it writes.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from common.program import Parser, boolean, log_message
from minikaldi.copies.noises import NoiseDirectory, durations, read_noises, recording_speakers
from minikaldi.data_dir.copy_dir import Renaming, affix, no_change, refuse_same, uniq_lines, write_renamed
from minikaldi.data_dir.directory import DirectoryWriter, read_utt2spk
from minikaldi.data_dir.tables import read_values
from minikaldi.data_dir.wav_lines import through_reverberate

USAGE = "augment_data_dir.py [options] <src-dir> <dest-dir>"
ABOUT = """Copy a data directory, with noises added to its audio.
e.g.: augment_data_dir.py --utt-suffix music --bg-snrs 15:10:8:5 --num-bg-noises 1 --bg-noise-dir data/musan_music \\
        data/train data/train_music
Lists are separated by colons; of each, one value is drawn."""
# What holds of the clean audio only.
NOT_COPIED = ("feats.scp", "cmvn.scp", "utt2uniq", "wav.scp")


@dataclass(frozen=True)
class Mixing:
    """What is added to each utterance. SNRs in dB, as they were written."""

    fg_noises: NoiseDirectory | None
    bg_noises: NoiseDirectory | None
    fg_snrs: Sequence[str]
    bg_snrs: Sequence[str]
    num_bg_noises: Sequence[int]
    fg_interval: float  # seconds


def seconds_text(seconds: float) -> str:
    """Seconds to the microsecond, without needless zeros: 0, 4.5, 1.9."""
    return f"{seconds:.6f}".rstrip("0").rstrip(".")


def background_signals(
    noises: NoiseDirectory, mixing: Mixing, seconds: float, excluded: set[str], rng: random.Random
) -> list[tuple[str, float, str]]:
    """(signal, start in seconds, SNR) of the noises that last as long as the utterance."""
    signals, used = [], set[str]()
    for _ in range(rng.choice(mixing.num_bg_noises)):
        audio = noises.audio[noises.draw(rng, excluded, used)]
        signal = f'wav-reverberate --duration={seconds_text(seconds)} "{audio}" - |'
        signals.append((signal, 0.0, rng.choice(mixing.bg_snrs)))
    return signals


def foreground_signals(
    noises: NoiseDirectory, mixing: Mixing, seconds: float, excluded: set[str], rng: random.Random
) -> list[tuple[str, float, str]]:
    """(signal, start in seconds, SNR) of the noises that follow one another until the utterance's end."""
    signals, start = [], 0.0
    while start < seconds:
        noise_id = noises.draw(rng, excluded, set())
        signals.append((noises.audio[noise_id], start, rng.choice(mixing.fg_snrs)))
        start += noises.seconds[noise_id] + mixing.fg_interval
    return signals


def augmented(audio: str, seconds: float, excluded: set[str], mixing: Mixing, rng: random.Random) -> str:
    """The line of wav.scp for a recording that lasts so many seconds; `excluded` are speakers not to be heard."""
    signals = []
    if mixing.bg_noises is not None:
        signals += background_signals(mixing.bg_noises, mixing, seconds, excluded, rng)
    if mixing.fg_noises is not None:
        signals += foreground_signals(mixing.fg_noises, mixing, seconds, excluded, rng)
    names, starts, snrs = zip(*signals, strict=True)
    options = f"--shift-output=true --additive-signals='{','.join(names)}'"
    options += f" --start-times='{','.join(map(seconds_text, starts))}' --snrs='{','.join(snrs)}'"
    return through_reverberate(audio, options)


@dataclass(frozen=True)
class Names:
    """How the copies are called, and what the draws are seeded with."""

    prefix: str
    suffix: str
    modify_spk_id: bool
    seed: int

    def renaming(self) -> Renaming:
        """New ids: prefix-<id>-suffix; recordings and utterances alike."""
        new_id = affix(f"{self.prefix}-" if self.prefix else "", f"-{self.suffix}" if self.suffix else "")
        return Renaming(new_id, new_id if self.modify_spk_id else no_change, new_id)


def augment(source: Path, target: Path, mixing: Mixing, names: Names, exclude_same_speaker: bool) -> int:
    """Write the copy; returns the number of its recordings.

    Raises:
        InputError: a recording without a duration, or nothing that may be added to it.
    """
    refuse_same(source, target)
    read_utt2spk(source)
    audio, seconds = read_values(source / "wav.scp"), durations(source)
    missing = [recording for recording in audio if recording not in seconds]
    if missing:
        raise InputError(
            f'{source}: "{missing[0]}" has no line in reco2dur; remove the file, and make it anew: '
            f"utils/data/get_reco2dur.sh {source}"
        )
    speakers = recording_speakers(source) if exclude_same_speaker else {}
    rename = names.renaming()
    with DirectoryWriter(target) as writer:
        write_renamed(source, writer, rename, leave_out=NOT_COPIED)
        lines = []
        for recording, rxfilename in audio.items():
            rng = random.Random(f"{names.seed} {names.prefix} {names.suffix} {recording}")
            line = augmented(rxfilename, seconds[recording], speakers.get(recording, set()), mixing, rng)
            lines.append(f"{rename.rec(recording)} {line}")
        writer.write("wav.scp", lines)
        writer.write("utt2uniq", uniq_lines(source, rename.utt))
        writer.remove_others()
    return len(lines)


def parse_list(text: str, name: str, whole: bool = False) -> list[str]:
    """The values of a list such as 15:10:5, as they were written.

    Raises:
        InputError: one is no number (`whole`: no whole number of at least 1).
    """
    values = text.split(":")
    for value in values:
        try:
            good = int(value) >= 1 if whole else abs(float(value)) < float("inf")
        except ValueError:
            good = False
        if not good:
            expected = "whole numbers of at least 1" if whole else "numbers"
            raise InputError(f'--{name} is "{text}", expected {expected} separated by colons')
    return values


def warn_of_repeats(mixing: Mixing, source: Path, exclude_same_speaker: bool) -> None:
    """Say it where an utterance may get more background noises than there are speakers that it may get them of."""
    if mixing.bg_noises is None:
        return
    voices, wanted = mixing.bg_noises.voices(), max(mixing.num_bg_noises)
    if len(voices) > wanted:
        return
    own = recording_speakers(source).values() if exclude_same_speaker else ()
    others = len(voices) - any(not voices.isdisjoint(speakers) for speakers in own)
    if others < wanted:
        beside = "" if others == len(voices) else f", {others} beside an utterance's own"
        log_message(
            f"{mixing.bg_noises.directory} has {len(voices)} speakers{beside}, --num-bg-noises asks for up to {wanted}:"
            " some are heard more than once in an utterance"
        )


def augment_parser() -> Parser:
    """Kaldi's options, and --exclude-same-speaker."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("--fg-snrs", default="20:10:0", help="dB, of foreground noises (default 20:10:0)")
    parser.add_argument("--bg-snrs", default="20:10:0", help="dB, of background noises (default 20:10:0)")
    parser.add_argument("--num-bg-noises", default="1", help="background noises of an utterance (default 1)")
    parser.add_argument("--fg-interval", type=float, default=0.0, help="seconds between foreground noises (default 0)")
    parser.add_argument("--utt-prefix", default="", help="<prefix>- is put before the ids")
    parser.add_argument("--utt-suffix", default="aug", help="-<suffix> is put behind the ids (default aug)")
    parser.add_argument("--modify-spk-id", type=boolean, default=False, help="true: the speaker ids are changed too")
    parser.add_argument("--random-seed", type=int, default=123, help="of all draws (default 123)")
    parser.add_argument("--fg-noise-dir", help="data directory of foreground noises")
    parser.add_argument("--bg-noise-dir", help="data directory of background noises")
    parser.add_argument(
        "--exclude-same-speaker", type=boolean, default=True, help="true: no noise by the utterance's own speaker"
    )
    parser.add_argument("source", metavar="src-dir")
    parser.add_argument("target", metavar="dest-dir")
    return parser


def main(argv: Sequence[str]) -> int:
    """Command line of steps/data/augment_data_dir.py."""
    parser = augment_parser()
    options = parser.parse(argv)
    if not options.fg_noise_dir and not options.bg_noise_dir:
        parser.error("give --fg-noise-dir, --bg-noise-dir or both")
    if options.fg_interval < 0:
        parser.error(f"--fg-interval is {options.fg_interval:g}, expected seconds of at least 0")
    if not options.utt_prefix and not options.utt_suffix:
        parser.error("give --utt-suffix or --utt-prefix: the copies need ids of their own")
    mixing = Mixing(
        read_noises(Path(options.fg_noise_dir)) if options.fg_noise_dir else None,
        read_noises(Path(options.bg_noise_dir)) if options.bg_noise_dir else None,
        parse_list(options.fg_snrs, "fg-snrs"),
        parse_list(options.bg_snrs, "bg-snrs"),
        [int(value) for value in parse_list(options.num_bg_noises, "num-bg-noises", whole=True)],
        options.fg_interval,
    )
    names = Names(options.utt_prefix, options.utt_suffix, options.modify_spk_id, options.random_seed)
    source, target = Path(options.source), Path(options.target)
    warn_of_repeats(mixing, source, options.exclude_same_speaker)
    count = augment(source, target, mixing, names, options.exclude_same_speaker)
    log_message(f"{count} recordings of {source} are in {target}, with noises")
    return 0
