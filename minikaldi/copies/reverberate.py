"""reverberate_data_dir.py: copy a data directory with reverberation, as wav.scp lines; no audio is read or written.

Each copy of a recording gets, with a probability, an impulse response, an isotropic noise of the same room and
point-source noises reverberated in it. Each draw depends on the seed, the copy's number and the recording alone.

Source: the output of steps/data/reverberate_data_dir.py. utils/to_wav.py resamples here, sox there.
"""

from __future__ import annotations

import random
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from common.program import Parser, boolean, log_message, positive_int
from minikaldi.copies.augment import parse_list, seconds_text
from minikaldi.copies.noises import durations
from minikaldi.copies.rooms import (
    NOISE_OPTIONS,
    RIR_OPTIONS,
    ListedNoise,
    Rir,
    WeightedItems,
    make_noise,
    make_rir,
    read_sets,
)
from minikaldi.data_dir.copy_dir import Renaming, affix, refuse_same, renamed, uniq_lines
from minikaldi.data_dir.directory import DirectoryWriter, read_utt2spk
from minikaldi.data_dir.tables import read_values
from minikaldi.data_dir.wav_lines import as_pipe, signal_through_reverberate

USAGE = "reverberate_data_dir.py [options] --rir-set-parameters 'weight, list' <src-dir> <dest-dir>"
ABOUT = """Copy a data directory with the reverberation of rooms.
e.g.: reverberate_data_dir.py --rir-set-parameters "0.5, small_rooms" --rir-set-parameters "0.5, medium_rooms" \\
        --speech-rvb-probability 1 --pointsource-noise-addition-probability 0 \\
        --isotropic-noise-addition-probability 0 --num-replications 1 --source-sampling-rate 16000 data/a data/b
A list of rooms has lines `--rir-id r1 --room-id A file-or-pipe`; one of noises `--noise-id n1
--noise-type isotropic|point-source [--bg-fg-type background|foreground] [--room-linkage A] file-or-pipe`."""
COPIED = ("text", "segments", "vad.scp", "utt2lang", "utt2rec", "reco2file_and_channel")

Signal = tuple[str, float, str]  # audio, start in seconds, SNR in dB


@dataclass(frozen=True)
class Acoustics:
    """The rooms and noises of the copies.

    Attributes:
        rirs: all impulse responses.
        by_room: room -> its impulse responses.
        isotropic: room -> its isotropic noises.
        point_source: point-source noises; None: none.
        speech_probability: probability that a copy is reverberated.
        isotropic_probability: probability of an isotropic noise.
        point_source_probability: probability of point-source noises.
        foreground_snrs: SNRs of foreground noises in dB, as written; one is drawn.
        background_snrs: SNRs of background noises in dB, as written; one is drawn.
        max_noises_per_minute: most point-source noises per minute.
        shift_output: option --shift-output of wav-reverberate.
    """

    rirs: WeightedItems[Rir]
    by_room: dict[str, WeightedItems[Rir]]
    isotropic: dict[str, WeightedItems[ListedNoise]]
    point_source: WeightedItems[ListedNoise] | None
    speech_probability: float
    isotropic_probability: float
    point_source_probability: float
    foreground_snrs: Sequence[str]
    background_snrs: Sequence[str]
    max_noises_per_minute: float
    shift_output: str


def isotropic_signal(noise: ListedNoise, seconds: float, snr: str) -> Signal:
    """An isotropic noise, as long as the speech."""
    return signal_through_reverberate(noise.audio, f"--duration={seconds_text(seconds)}"), 0.0, snr


def point_source_signal(
    noise: ListedNoise, rir: Rir, seconds: float, acoustics: Acoustics, rng: random.Random
) -> Signal:
    """A noise from one place in the room."""
    options = f'--impulse-response="{rir.audio}"'
    if noise.background:
        options += f" --duration={seconds_text(seconds)}"
        return signal_through_reverberate(noise.audio, options), 0.0, rng.choice(acoustics.background_snrs)
    start = round(rng.random() * seconds, 2)
    return signal_through_reverberate(noise.audio, options), start, rng.choice(acoustics.foreground_snrs)


def draw_signals(room_id: str, seconds: float, acoustics: Acoustics, rng: random.Random) -> list[Signal]:
    """The noises of one copy."""
    signals = []
    if room_id in acoustics.isotropic and rng.random() < acoustics.isotropic_probability:
        noise = acoustics.isotropic[room_id].draw(rng)
        signals.append(isotropic_signal(noise, seconds, rng.choice(acoustics.background_snrs)))
    most = int(acoustics.max_noises_per_minute * seconds / 60)
    if acoustics.point_source is not None and most >= 1 and rng.random() < acoustics.point_source_probability:
        for _ in range(rng.randint(1, most)):
            noise, rir = acoustics.point_source.draw(rng), acoustics.by_room[room_id].draw(rng)
            signals.append(point_source_signal(noise, rir, seconds, acoustics, rng))
    return signals


def reverberated_line(audio: str, seconds: float, acoustics: Acoustics, rng: random.Random) -> str:
    """The audio of one copy of a recording, as a line of wav.scp; `seconds` matters only if noises are added."""
    rir = acoustics.rirs.draw(rng)
    options = ""
    if rng.random() < acoustics.speech_probability:
        options += f'--impulse-response="{rir.audio}" '
    signals = draw_signals(rir.room_id, seconds, acoustics, rng)
    if signals:
        names, starts, snrs = zip(*signals, strict=True)
        options += f"--additive-signals='{','.join(names)}' --snrs='{','.join(snrs)}' "
        options += f"--start-times='{','.join(map(seconds_text, starts))}' "
    if not options:
        return as_pipe(audio)
    return f"{as_pipe(audio)} wav-reverberate --shift-output={acoustics.shift_output} {options} - - |"


def reverberate(source: Path, target: Path, acoustics: Acoustics, options: Namespace) -> int:
    """Write the copies; returns the number of their recordings.

    Raises:
        InputError: copies would share ids, or durations are needed and not known.
    """
    refuse_same(source, target)
    utt2spk, audio = read_utt2spk(source), read_values(source / "wav.scp")
    has_noises = acoustics.point_source is not None or bool(acoustics.isotropic)
    seconds = durations(source) if has_noises else {}
    missing = [recording for recording in audio if has_noises and recording not in seconds]
    if missing:
        raise InputError(f'{source}: "{missing[0]}" has no line in reco2dur; make it: utils/data/get_reco2dur.sh')
    copies = range(0 if options.include_original_data else 1, options.num_replications + 1)
    names = {copy: affix(f"{options.prefix}{copy}-" if options.prefix else "", "") for copy in copies}
    lines = []
    for copy, new_id in names.items():
        for recording, rxfilename in audio.items():
            rng = random.Random(f"{options.random_seed} {copy} {recording}")
            length = seconds.get(recording, 0.0)
            line = reverberated_line(rxfilename, length, acoustics, rng) if copy else as_pipe(rxfilename)
            lines.append(f"{new_id(recording)} {line}")
    with DirectoryWriter(target) as writer:
        writer.write_speakers({new(utt): new(spk) for new in names.values() for utt, spk in utt2spk.items()})
        writer.write("wav.scp", lines)
        writer.write("utt2uniq", [line for new in names.values() for line in uniq_lines(source, new)])
        for name in COPIED:
            if (source / name).is_file():
                renamings = [Renaming(new, new, new) for new in names.values()]
                writer.write(name, (line for renaming in renamings for line in renamed(source / name, renaming)))
        writer.remove_others()
    return len(lines)


def read_acoustics(options: Namespace) -> Acoustics:
    """Read the rooms and noises in the options.

    Raises:
        InputError: a list or number is invalid.
    """
    rate = options.source_sampling_rate
    rirs = read_sets(options.rir_set_parameters, RIR_OPTIONS, make_rir, options.rir_smoothing_weight, rate)
    noises = read_sets(options.noise_set_parameters, NOISE_OPTIONS, make_noise, options.noise_smoothing_weight, rate)
    point_source = [(noise, weight) for noise, weight in noises if not noise.isotropic]
    isotropic = [(noise, weight) for noise, weight in noises if noise.isotropic]
    return Acoustics(
        rirs=WeightedItems(rirs),
        by_room={
            room: WeightedItems([(rir, weight) for rir, weight in rirs if rir.room_id == room])
            for room in dict.fromkeys(rir.room_id for rir, _ in rirs)
        },
        isotropic={
            room: WeightedItems([(noise, weight) for noise, weight in isotropic if noise.room_id == room])
            for room in dict.fromkeys(noise.room_id for noise, _ in isotropic)
        },
        point_source=WeightedItems(point_source) if point_source else None,
        speech_probability=options.speech_rvb_probability,
        isotropic_probability=options.isotropic_noise_addition_probability,
        point_source_probability=options.pointsource_noise_addition_probability,
        foreground_snrs=parse_list(options.foreground_snrs, "foreground-snrs"),
        background_snrs=parse_list(options.background_snrs, "background-snrs"),
        max_noises_per_minute=options.max_noises_per_minute,
        shift_output="true" if options.shift_output else "false",
    )


def reverberate_parser() -> Parser:
    """Kaldi's options."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("--num-replications", type=positive_int, default=1, help="copies of each recording (default 1)")
    parser.add_argument("--foreground-snrs", default="20:10:0", help="dB (default 20:10:0)")
    parser.add_argument("--background-snrs", default="20:10:0", help="dB (default 20:10:0)")
    parser.add_argument("--prefix", default="", help="ids of copy 1 begin with <prefix>1-, of the originals <prefix>0-")
    for name in ("speech-rvb", "pointsource-noise-addition", "isotropic-noise-addition"):
        parser.add_argument(f"--{name}-probability", type=float, default=1.0, help="from 0 to 1 (default 1)")
    parser.add_argument("--rir-smoothing-weight", type=float, default=0.3, help="0: as listed, 1: equal (default 0.3)")
    parser.add_argument("--noise-smoothing-weight", type=float, default=0.3, help="the same for noises (default 0.3)")
    parser.add_argument("--max-noises-per-minute", type=float, default=2, help="point-source noises (default 2)")
    parser.add_argument("--random-seed", type=int, default=0, help="seed of all draws (default 0)")
    parser.add_argument("--shift-output", type=boolean, default=True, help="true: speech stays where it was (default)")
    parser.add_argument("--source-sampling-rate", type=positive_int, help="Hz; rooms and noises are resampled to it")
    parser.add_argument("--include-original-data", type=boolean, default=False, help="true: the originals as copy 0")
    parser.add_argument("--rir-set-parameters", action="append", required=True, help="'weight, list'; may be repeated")
    parser.add_argument("--noise-set-parameters", action="append", default=[], help="'weight, list'; may be repeated")
    parser.add_argument("source", metavar="src-dir")
    parser.add_argument("target", metavar="dest-dir")
    return parser


def main(argv: Sequence[str]) -> int:
    """Command line of steps/data/reverberate_data_dir.py."""
    parser = reverberate_parser()
    options = parser.parse(argv)
    if not options.prefix and (options.num_replications > 1 or options.include_original_data):
        parser.error("several copies need --prefix, so that their ids differ")
    for name in ("speech_rvb", "pointsource_noise_addition", "isotropic_noise_addition"):
        probability = getattr(options, f"{name}_probability")
        if not 0 <= probability <= 1:
            parser.error(f"--{name.replace('_', '-')}-probability is {probability:g}, expected 0 to 1")
    source, target = Path(options.source), Path(options.target)
    count = reverberate(source, target, read_acoustics(options), options)
    log_message(f"{count} recordings made from {source} are in {target}")
    return 0
