"""perturb_data_dir_volume.sh and resample_data_dir.sh: a data directory's audio made louder, softer or of another rate.

Both change wav.scp in place; no audio is read or written. The old wav.scp, and the features, which are no longer valid,
go to <data>/.backup. Instead of sox, as in Kaldi, wav-reverberate changes the volume and utils/to_wav.py the rate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from math import isfinite
from pathlib import Path

from common.errors import InputError
from common.program import Parser, boolean, log_message, positive_int, program_name
from common.whole_files import write_files
from minikaldi.data_dir.directory import DirectoryWriter, require_directory
from minikaldi.data_dir.lines import byte_order, numbered_lines
from minikaldi.data_dir.tables import read_numbers, read_values
from minikaldi.data_dir.wav_lines import mono_at_rate, through_reverberate

USAGE_VOLUME = "perturb_data_dir_volume.sh [--scale-low 0.125] [--scale-high 2] [options] <data-dir>"
USAGE_RATE = "resample_data_dir.sh <rate> <data-dir>"
ABOUT_VOLUME = "Give each recording of a data directory another volume, in place: a factor drawn for each."
ABOUT_RATE = "Resample the audio of a data directory to <rate> Hz, in place, on the fly."
FEATURES = ("feats.scp", "cmvn.scp")


def rewrite_audio(directory: Path, change: Callable[[str, str], str]) -> int:
    """Replace the audio of each recording by `change(rec_id, audio)`; returns the number of recordings.

    Raises:
        InputError: no wav.scp.
    """
    require_directory(directory)
    if not (directory / "wav.scp").is_file():
        raise InputError(f"{directory}/wav.scp: no such file; expected lines `rec_id file-or-pipe`")
    audio = read_values(directory / "wav.scp")
    with DirectoryWriter(directory, backup=True) as writer:
        writer.write("wav.scp", (f"{recording} {change(recording, value)}" for recording, value in audio.items()))
        for name in FEATURES:
            if (directory / name).is_file():
                writer.remove(name)
                log_message(f"{directory}/{name} does not fit the new audio; it is now in {directory}/.backup")
    return len(audio)


def resample(directory: Path, rate: int) -> None:
    """Change the rate (Hz) of all recordings; mono wave files of this rate stay as they are."""
    count = rewrite_audio(directory, lambda _, audio: mono_at_rate(audio, rate))
    log_message(f"{count} recordings of {directory} are resampled to {rate} Hz")


def drawn_volumes(directory: Path, low: float, high: float, seed: int) -> Iterator[tuple[str, str]]:
    """(rec_id, factor as text), each drawn between `low` and `high`; it depends on the seed and the recording alone."""
    for recording in read_values(directory / "wav.scp"):
        drawn = blake2b(byte_order(f"volume {seed} {recording}"), digest_size=8).digest()
        yield recording, f"{low + (high - low) * int.from_bytes(drawn, 'big') / 2**64:.6g}"


def is_perturbed(directory: Path) -> bool:
    """Whether the volume of some recording has been changed before, here or by Kaldi's script."""
    lines = (line for _, line in numbered_lines(directory / "wav.scp"))
    return any("sox --vol" in line or "wav-reverberate --volume=" in line for line in lines)


def perturb_volume(directory: Path, volumes: dict[str, str]) -> None:
    """Change the volume of all recordings; only the first channel is kept.

    Args:
        directory: the data directory.
        volumes: factor of each recording, as text.

    Raises:
        InputError: a recording has no factor.
    """

    def louder(recording: str, audio: str) -> str:
        """The audio of a recording at its new volume."""
        if recording not in volumes:
            raise InputError(f'{directory}/wav.scp: "{recording}" is not in the file of --reco2vol; add a line')
        return through_reverberate(audio, f"--volume={volumes[recording]}")

    count = rewrite_audio(directory, louder)
    log_message(f"{count} recordings of {directory} have another volume")


def volume_main(argv: Sequence[str]) -> int:
    """Command line of utils/data/perturb_data_dir_volume.sh."""
    parser = Parser(USAGE_VOLUME, ABOUT_VOLUME)
    parser.add_argument("--scale-low", type=float, default=0.125, help="least factor (default 0.125)")
    parser.add_argument("--scale-high", type=float, default=2.0, help="greatest factor (default 2)")
    parser.add_argument("--reco2vol", help="file with lines `rec_id factor`; nothing is drawn")
    parser.add_argument("--write-reco2vol", metavar="FILE", help="write the factors to this file")
    parser.add_argument("--force", type=boolean, default=False, help="true: even if the volume was changed before")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draws (default 0)")
    parser.add_argument("data")
    options = parser.parse(argv)
    low, high, directory = options.scale_low, options.scale_high, Path(options.data)
    if not (isfinite(high) and 0 < low <= high):
        parser.error(f"--scale-low {low:g} and --scale-high {high:g}: expected 0 < low <= high")
    require_directory(directory)
    if is_perturbed(directory) and not options.force:
        log_message(f"the volume of {directory} was changed before; it is left (--force true: change it again)")
        return 0
    if options.reco2vol:
        volumes = {recording: f"{factor:.6g}" for recording, factor in read_numbers(options.reco2vol).items()}
    else:
        volumes = dict(drawn_volumes(directory, low, high, options.seed))
    perturb_volume(directory, volumes)
    if options.write_reco2vol:
        write_files([(options.write_reco2vol, map(" ".join, volumes.items()))])
    return 0


def main(argv: Sequence[str]) -> int:
    """Command line of both scripts; the name of the program decides."""
    if program_name().startswith("perturb"):
        return volume_main(argv)
    parser = Parser(USAGE_RATE, ABOUT_RATE)
    parser.add_argument("rate", type=positive_int)
    parser.add_argument("data")
    options = parser.parse(argv)
    resample(Path(options.data), options.rate)
    return 0
