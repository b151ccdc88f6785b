"""Times the data-directory tools of utils/ on directories of up to a million utterances.

    python3 benchmarks/data_dirs.py [--sizes 1000,10000,100000,1000000] [--only combine] [--json FILE]

The directories are made in a temporary folder (3 GB for a million utterances; in `--temp`): ten tables, ids like
VoxCeleb's, 143 utterances per speaker. Each tool runs as a process on one core. The goals at a million utterances,
which a case may read twice and write three times, are at most 20 s and 2 GB, children included. The seconds are those
of the CPU, since the machine may have other work; elapsed seconds are printed too.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from common.errors import InputError  # noqa: E402
from common.program import Parser, run_program  # noqa: E402

UTILS = ROOT / "utils"
GOAL_SECONDS, GOAL_MB = 20.0, 2000.0
UTTS_PER_SPEAKER, UTTS_PER_VIDEO = 143, 8
SEED = 7
JOBS = 32
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
WORDS = tuple(f"word{number}" for number in range(40))


@dataclass(frozen=True)
class Case:
    """One tool on one input; {a} {clean} {noise} … in its words are the inputs that `make_inputs` wrote."""

    name: str
    words: tuple[str, ...]
    stdin: str = ""  # a file that it reads from the standard input
    in_place: str = ""  # the directory that it changes; it gets a copy, {copy}
    code: int = 0  # the exit code that it should have


@dataclass(frozen=True)
class Result:
    """The time and memory that a tool took."""

    name: str
    utts: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    goal_met: bool


def utterances(number: int, seed: int = SEED) -> Iterator[tuple[str, str]]:
    """(utt_id, spk_id), sorted: speakers with videos with utterances, ids as VoxCeleb's."""
    rng = random.Random(seed)
    for speaker in range((number + UTTS_PER_SPEAKER - 1) // UTTS_PER_SPEAKER):
        size = min(UTTS_PER_SPEAKER, number - speaker * UTTS_PER_SPEAKER)
        num_videos = (size + UTTS_PER_VIDEO - 1) // UTTS_PER_VIDEO
        videos = sorted("".join(rng.choices(ALPHABET, k=11)) for _ in range(num_videos))
        for index in range(size):
            video, utt = divmod(index, UTTS_PER_VIDEO)
            yield f"id{10000 + speaker}-{videos[video]}-{utt + 1:05d}", f"id{10000 + speaker}"


def make_data_dir(folder: Path, number: int, suffix: str = "") -> None:
    """Write a data directory of `number` utterances; a suffix is put to each utterance id, as augmentation does."""
    folder.mkdir(parents=True)
    names = ("utt2spk", "wav.scp", "feats.scp", "vad.scp", "utt2num_frames", "utt2dur", "reco2dur", "text")
    tables = {name: (folder / name).open("w") for name in (*names, "spk2utt", "spk2gender")}
    rng = random.Random(f"{SEED}{suffix}")
    last_spk = ""
    for index, (utt, spk) in enumerate(utterances(number)):
        key, video, file = utt + suffix, utt[8:-6], utt[-5:]
        frames = rng.randrange(400, 2000)
        part, offset = index * JOBS // number + 1, index * 47213
        text = " ".join(rng.choices(WORDS, k=5))
        values = (
            spk,
            f"/corpora/voxceleb1/wav/{spk}/{video}/{file}.wav",
            f"data/voxceleb/mfcc/ark/raw_mfcc_train.{part}.ark:{offset}",
            f"data/voxceleb/mfcc/ark/vad_train.{part}.ark:{offset // 30}",
            str(frames),
            f"{frames / 100 + 0.015:.6g}",
            f"{frames / 100 + 0.015:.6g}",
            text,
        )
        for name, value in zip(names, values, strict=True):
            tables[name].write(f"{key} {value}\n")
        if spk != last_spk:
            tables["spk2gender"].write(f"{spk} {'mf'[len(spk) % 2]}\n")
            tables["spk2utt"].write("\n" * bool(last_spk) + spk)
            last_spk = spk
        tables["spk2utt"].write(f" {key}")
    tables["spk2utt"].write("\n")
    for stream in tables.values():
        stream.close()


def make_unsorted(source: Path, target: Path) -> None:
    """A directory whose tables are in disorder, and lack a line in a thousand of the features."""
    target.mkdir()
    rng = random.Random(SEED)
    for path in source.iterdir():
        lines = path.read_text().splitlines(keepends=True)
        rng.shuffle(lines)
        if path.name == "feats.scp":
            del lines[:: max(1000, len(lines) // 1000)]
        (target / path.name).write_text("".join(lines))


def make_inputs(folder: Path, number: int) -> None:
    """All inputs of the cases, of `number` utterances each, but the halves."""
    make_data_dir(folder / "clean", number)
    make_data_dir(folder / "noise", number, "-noise")
    make_data_dir(folder / "half", number // 2)
    make_data_dir(folder / "half_noise", number - number // 2, "-noise")
    make_unsorted(folder / "clean", folder / "unsorted")
    lists = {"every_third": slice(None, None, 3), "half_list": slice(None, None, 2)}
    utt2spk = (folder / "clean" / "utt2spk").read_text().splitlines(keepends=True)
    for name, lines in lists.items():
        (folder / name).write_text("".join(utt2spk[lines]))
    speakers = (folder / "clean" / "spk2gender").read_text().splitlines(keepends=True)
    (folder / "speakers").write_text("".join(speakers[::2]))
    (folder / "map").write_text("".join(f"{line.split()[0]} {line.split()[0]}-new\n" for line in utt2spk))
    (folder / "lists").mkdir()
    for part in range(num_parts(number)):
        (folder / "lists" / f"{part + 1}").write_text("".join(utt2spk[part :: num_parts(number)]))
    link(folder / "clean", folder / "bare", ("utt2spk", "spk2utt", "wav.scp", "utt2num_frames"))
    link(folder / "clean", folder / "timed", ("utt2spk", "spk2utt", "wav.scp", "utt2dur"))


def link(source: Path, target: Path, names: Sequence[str] = ()) -> None:
    """A copy of some or all tables, by links: no tool may write into a file of its input."""
    target.mkdir()
    for path in source.iterdir():
        if path.is_file() and (not names or path.name in names):
            os.link(path, target / path.name)


def num_parts(number: int) -> int:
    """Parts for parallel jobs: no more than speakers."""
    return max(1, min(JOBS, number // UTTS_PER_SPEAKER))


def cases(number: int) -> list[Case]:
    """Every tool, in the modes that recipes use."""
    half, tenth, parts = str(number // 2), str(number // 10), str(num_parts(number))
    outputs = tuple(f"{{out}}/part.{part + 1}" for part in range(int(parts)))
    subset, modify = "subset_data_dir.sh", "data/modify_speaker_info.sh"
    return [
        Case("validate", ("validate_data_dir.sh", "{clean}")),
        Case("validate, in disorder", ("validate_data_dir.sh", "{unsorted}"), code=1),
        Case("fix, nothing to do", ("fix_data_dir.sh", "{copy}"), in_place="clean"),
        Case("fix, in disorder", ("fix_data_dir.sh", "{copy}"), in_place="unsorted"),
        Case("combine two halves", ("combine_data.sh", "{out}/c", "{half}", "{half_noise}")),
        Case("combine two of full size", ("combine_data.sh", "{out}/c", "{clean}", "{noise}")),
        Case("copy with suffix", ("copy_data_dir.sh", "--utt-suffix", "-x", "{clean}", "{out}/c")),
        Case("subset: half", (subset, "{clean}", half, "{out}/c")),
        Case("subset --per-spk 20", (subset, "--per-spk", "{clean}", "20", "{out}/c")),
        Case("subset --first half", (subset, "--first", "{clean}", half, "{out}/c")),
        Case("subset --last half", (subset, "--last", "{clean}", half, "{out}/c")),
        Case("subset --shortest half", (subset, "--shortest", "{clean}", half, "{out}/c")),
        Case("subset --speakers half", (subset, "--speakers", "{clean}", half, "{out}/c")),
        Case("subset --utt-list half", (subset, "--utt-list", "{half_list}", "{clean}", "{out}/c")),
        Case("subset --spk-list half", (subset, "--spk-list", "{speakers}", "{clean}", "{out}/c")),
        Case("split", ("split_data.sh", "{copy}", parts), in_place="clean"),
        Case("split --per-utt", ("split_data.sh", "--per-utt", "{copy}", parts), in_place="clean"),
        Case("filter_scp", ("filter_scp.pl", "{every_third}", "{clean}/feats.scp")),
        Case("filter_scp --exclude", ("filter_scp.pl", "--exclude", "{every_third}", "{clean}/feats.scp")),
        Case("split_scp", ("split_scp.pl", "{clean}/feats.scp", *outputs)),
        Case("split_scp --utt2spk", ("split_scp.pl", "--utt2spk={clean}/utt2spk", "{clean}/feats.scp", *outputs)),
        Case("subset_scp", ("subset_scp.pl", tenth, "{clean}/feats.scp")),
        Case("utt2spk_to_spk2utt", ("utt2spk_to_spk2utt.pl", "{clean}/utt2spk")),
        Case("spk2utt_to_utt2spk", ("spk2utt_to_utt2spk.pl", "{clean}/spk2utt")),
        Case("perturb speed", ("perturb_data_dir_speed.sh", "1.1", "{clean}", "{out}/c")),
        Case("perturb speed 3way", ("data/perturb_data_dir_speed_3way.sh", "{clean}", "{out}/c")),
        Case("get_utt2dur", ("data/get_utt2dur.sh", "--frame-shift", "0.01", "{copy}"), in_place="bare"),
        Case("get_reco2dur", ("data/get_reco2dur.sh", "{copy}"), in_place="timed"),
        Case("get_utt2num_frames", ("data/get_utt2num_frames.sh", "{copy}"), in_place="timed"),
        Case("get_num_frames", ("data/get_num_frames.sh", "{clean}")),
        Case("filter_scps", ("filter_scps.pl", f"JOB=1:{parts}", "{lists}/JOB", "{clean}/feats.scp", "{out}/o.JOB")),
        Case("apply_map -f 1", ("apply_map.pl", "-f", "1", "{map}"), stdin="{clean}/text"),
        Case("remove_dup_utts", ("data/remove_dup_utts.sh", "2", "{clean}", "{out}/c")),
        Case("modify_speaker_info", (modify, "--utts-per-spk-max", "2", "{clean}", "{out}/c")),
        Case("perturb volume", ("data/perturb_data_dir_volume.sh", "{copy}"), in_place="clean"),
        Case("resample", ("data/resample_data_dir.sh", "8000", "{copy}"), in_place="clean"),
    ]


def measure(case: Case, folder: Path, number: int) -> Result:
    """Run one case on one core.

    Raises:
        InputError: the tool failed, or ended with another code than expected.
    """
    out = folder / "out"
    out.mkdir()
    places = {path.name: str(path) for path in folder.iterdir()}
    if case.in_place:
        link(folder / case.in_place, out / "copy")
        places["copy"] = str(out / "copy")
    words = [str(UTILS / case.words[0]), *(word.format(**places) for word in case.words[1:])]
    with (
        (out / "stdin").open("w+b") if not case.stdin else Path(case.stdin.format(**places)).open("rb") as stdin,
        (out / "stdout").open("wb") as stdout,
        (out / "stderr").open("wb") as stderr,
    ):
        start = time.perf_counter()
        process = subprocess.Popen(words, stdin=stdin, stdout=stdout, stderr=stderr, preexec_fn=on_one_core)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    code = os.waitstatus_to_exitcode(status)
    if code != case.code:
        raise InputError(f"{case.name}: code {code}: {(out / 'stderr').read_text()[-1000:]}")
    shutil.rmtree(out)
    cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000 if sys.platform != "darwin" else 0.0
    return Result(case.name, number, seconds, cpu, peak, cpu <= GOAL_SECONDS and peak <= GOAL_MB)


def on_one_core() -> None:
    """Leave the process one core of those that it may use."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [max(os.sched_getaffinity(0))])


def run_size(number: int, only: str, temp: str | None) -> list[Result]:
    """All cases at one size, each printed when it is done."""
    results = []
    with tempfile.TemporaryDirectory(prefix="data_dirs.", dir=temp) as name:
        # In a process of its own: a tool starts as a fork of this one, whose memory would count as the tool's.
        maker = multiprocessing.Process(target=make_inputs, args=(Path(name), number))
        maker.start()
        maker.join()
        for case in cases(number):
            if only in case.name:
                result = measure(case, Path(name), number)
                results.append(result)
                met = "met" if result.goal_met else "MISSED"
                print(
                    f"{number:>9} {result.name:<26} {result.seconds:7.2f} s {result.cpu_seconds:7.2f} s CPU "
                    f"{result.peak_mb:7.0f} MB  {met}",
                    flush=True,
                )
    return results


def growth(results: Sequence[Result]) -> list[str]:
    """A line for each case: its CPU seconds at each size."""
    by_case: dict[str, list[Result]] = {}
    for result in results:
        by_case.setdefault(result.name, []).append(result)
    return [
        f"{name:<26} " + " ".join(f"{result.cpu_seconds:8.2f}" for result in found) for name, found in by_case.items()
    ]


def main(argv: Sequence[str]) -> None:
    """Print a line per case and size, then how the cost grows."""
    parser = Parser(description=__doc__)
    parser.add_argument("--sizes", default="1000000", help="numbers of utterances, with commas between")
    parser.add_argument("--only", default="", help="the cases whose name holds this")
    parser.add_argument("--json", help="write the results to this file")
    parser.add_argument("--temp", help="folder for the temporary folder")
    options = parser.parse_args(argv)
    sizes = [int(size) for size in options.sizes.split(",")]
    results = [result for size in sizes for result in run_size(size, options.only, options.temp)]
    if len(sizes) > 1:
        print(f"\nCPU seconds at {' '.join(str(size) for size in sizes)} utterances:")
        print("\n".join(growth(results)))
    if options.json:
        machine = {
            "system": platform.platform(),
            "python": platform.python_version(),
            "cores": os.cpu_count(),
            "load_average": os.getloadavg(),
        }
        content = {"machine": machine, "seed": SEED, "results": [asdict(result) for result in results]}
        Path(options.json).write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    run_program(main)
