"""augment_data_dir.py: copy a data directory with noises added, as wav.scp lines; no audio is read or written.

Background noises last as long as the utterance, repeated if necessary; foreground noises follow one another,
`--fg-interval` seconds apart. Each draw depends on the seed, the suffix and the recording alone, not on the order or
number of the other recordings. Beyond Kaldi: noises by the utterance's own speaker are not added to it, and several
background noises are of different speakers while there are enough.

Source: the output of steps/data/augment_data_dir.py.
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
The values of a list are separated by colons; one of them is drawn."""
# Tables that are valid for the clean audio only.
NOT_COPIED = ("feats.scp", "cmvn.scp", "utt2uniq", "wav.scp")


@dataclass(frozen=True)
class Mixing:
    """What is added to each utterance.

    Attributes:
        fg_noises: foreground noises; None: none.
        bg_noises: background noises; None: none.
        fg_snrs: SNRs of foreground noises in dB, as written; one is drawn.
        bg_snrs: SNRs of background noises in dB, as written; one is drawn.
        num_bg_noises: numbers of background noises of an utterance; one is drawn.
        fg_interval: seconds between foreground noises.
    """

    fg_noises: NoiseDirectory | None
    bg_noises: NoiseDirectory | None
    fg_snrs: Sequence[str]
    bg_snrs: Sequence[str]
    num_bg_noises: Sequence[int]
    fg_interval: float


def seconds_text(seconds: float) -> str:
    """Seconds to the microsecond, without trailing zeros: 0, 4.5, 1.9."""
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
    """The audio of a copy, as a line of wav.scp.

    Args:
        audio: the recording's.
        seconds: its duration.
        excluded: speakers whose noises are not added.
        mixing: what is added.
        rng: the generator of the draws.
    """
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
    """The names of the copies, and the seed of the draws.

    Attributes:
        prefix: before the ids, with a dash; "" for none.
        suffix: after the ids, with a dash; "" for none.
        modify_spk_id: whether speaker ids change too.
        seed: seed of the draws.
    """

    prefix: str
    suffix: str
    modify_spk_id: bool
    seed: int

    def renaming(self) -> Renaming:
        """New ids: prefix-<id>-suffix, for recordings and utterances."""
        new_id = affix(f"{self.prefix}-" if self.prefix else "", f"-{self.suffix}" if self.suffix else "")
        return Renaming(new_id, new_id if self.modify_spk_id else no_change, new_id)


def augment(source: Path, target: Path, mixing: Mixing, names: Names, exclude_same_speaker: bool) -> int:
    """Write the copy; returns the number of its recordings.

    Raises:
        InputError: a recording has no duration, or no noise may be added to it.
    """
    refuse_same(source, target)
    read_utt2spk(source)
    audio, seconds = read_values(source / "wav.scp"), durations(source)
    missing = [recording for recording in audio if recording not in seconds]
    if missing:
        raise InputError(
            f'{source}: "{missing[0]}" has no line in reco2dur; remove the file, and make it again: '
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

    Args:
        text: the list.
        name: name of the option in errors.
        whole: whether the values must be integers >= 1.

    Raises:
        InputError: a value is not a number, or not an integer >= 1.
    """
    values = text.split(":")
    for value in values:
        try:
            good = int(value) >= 1 if whole else abs(float(value)) < float("inf")
        except ValueError:
            good = False
        if not good:
            expected = "integers >= 1" if whole else "numbers"
            raise InputError(f'--{name} is "{text}", expected {expected} separated by colons')
    return values


def warn_of_repeats(mixing: Mixing, source: Path, exclude_same_speaker: bool) -> None:
    """Warn if an utterance may get more background noises than there are speakers for them."""
    if mixing.bg_noises is None:
        return
    voices, wanted = mixing.bg_noises.voices(), max(mixing.num_bg_noises)
    if len(voices) > wanted:
        return
    own = recording_speakers(source).values() if exclude_same_speaker else ()
    others = len(voices) - any(not voices.isdisjoint(speakers) for speakers in own)
    if others < wanted:
        beside = "" if others == len(voices) else f", {others} besides an utterance's own"
        log_message(
            f"{mixing.bg_noises.directory} has {len(voices)} speakers{beside}, --num-bg-noises asks for up to {wanted}:"
            " some speakers occur more than once in an utterance"
        )


def augment_parser() -> Parser:
    """Kaldi's options, and --exclude-same-speaker."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("--fg-snrs", default="20:10:0", help="dB, of foreground noises (default 20:10:0)")
    parser.add_argument("--bg-snrs", default="20:10:0", help="dB, of background noises (default 20:10:0)")
    parser.add_argument("--num-bg-noises", default="1", help="background noises of an utterance (default 1)")
    parser.add_argument("--fg-interval", type=float, default=0.0, help="seconds between foreground noises (default 0)")
    parser.add_argument("--utt-prefix", default="", help="<prefix>- is added before the ids")
    parser.add_argument("--utt-suffix", default="aug", help="-<suffix> is added after the ids (default aug)")
    parser.add_argument("--modify-spk-id", type=boolean, default=False, help="true: change the speaker ids too")
    parser.add_argument("--random-seed", type=int, default=123, help="seed of all draws (default 123)")
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
        parser.error(f"--fg-interval is {options.fg_interval:g}, expected seconds >= 0")
    if not options.utt_prefix and not options.utt_suffix:
        parser.error("give --utt-suffix or --utt-prefix: the copies need other ids than the originals")
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
