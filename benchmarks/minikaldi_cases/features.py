"""Features at dither 0, compression, voiced frames, rooms: processor seconds against seconds of audio."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.minikaldi_cases.data import (
    FEATURE_DIM,
    FEATURE_FRAMES,
    SAMPLE_RATE,
    in_child,
    repeated_scp,
    write_feats,
    write_room,
    write_waves,
)
from benchmarks.minikaldi_cases.measure import ROOT, figures
from benchmarks.minikaldi_cases.place import Place, Row

FRAMES_PER_SECOND = 100
DIRECT = """
import sys, numpy
from minikaldi.io import WAVE, read_object
speech, room = (read_object(name, WAVE).samples[0] for name in sys.argv[1:])
for _ in range({calls}):
    numpy.convolve(speech, room)
"""


def rows(place: Place) -> Iterator[Row]:
    """The part `features`."""
    sizes = place.sizes
    in_child(write_waves, place.folder, "wav", sizes.waves, sizes.wave_seconds, place.seed)
    in_child(write_waves, place.folder, "short", 1, 0.1, place.seed)
    in_child(write_feats, place.folder, sizes.feats, FEATURE_FRAMES, place.seed)
    in_child(write_room, place.folder, place.seed)
    repeated_scp(place.folder / "wav.scp", place.folder / "all.scp", sizes.waves * sizes.wave_passes)
    for kind in ("mfcc", "fbank"):
        yield _features(place, kind)
    yield from _voiced_frames(place)
    yield from _compression(place)
    yield from _rooms(place)


def _features(place: Place, kind: str) -> Row:
    command = [f"compute-{kind}-feats", "--dither=0", f"--config={ROOT}/conf/{kind}.conf"]
    audio = place.sizes.waves * place.sizes.wave_passes * place.sizes.wave_seconds
    start = place.measure([*command, "scp:short.scp", "ark:/dev/null"], 2 * place.repeats + 1, beside_kaldi=True)
    used = place.measure([*command, "scp:all.scp", "ark:/dev/null"], beside_kaldi=True)
    what = f"compute-{kind}-feats, conf/{kind}.conf, after start-up"
    kaldi = 2950 if kind == "mfcc" else None
    ours, here = figures(lambda used, start: audio / used.after(start), used, start)
    return Row("features", what, "x", ours, kaldi, 4500, True, used.peak_mb, kaldi_here=here)


def _voiced_frames(place: Place) -> Iterator[Row]:
    """What the recipe calls in stages 1 and 4, on features that are compressed as there."""
    audio = place.sizes.feats * FEATURE_FRAMES / FRAMES_PER_SECOND
    start = place.measure(["compute-vad", "--help"], 2 * place.repeats + 1, beside_kaldi=True)
    vad = place.measure(
        ["compute-vad", f"--config={ROOT}/conf/vad.conf", "scp:feats_cm.scp", "ark,scp:vad.ark,vad.scp"],
        beside_kaldi=True,
    )
    feats = "ark:apply-cmvn-sliding --norm-vars=false --center=true --cmn-window=300 scp:feats_cm.scp ark:- |"
    selection = f"select-voiced-frames '{feats}' scp,s,cs:vad.scp"
    inner = place.measure(f"{selection} ark:/dev/null", beside_kaldi=True)
    what = "CMVN + VAD + selection, compressed features, after start-up"
    speed, here = figures(
        lambda vad, inner, start: audio / (vad.after(start) + inner.after(start)), vad, inner, start
    )
    peak_mb = max(vad.peak_mb, inner.peak_mb)
    yield Row("features", what, "x", speed, None, 20_000, True, peak_mb, kaldi_here=here)
    whole = place.measure(
        f"{selection} ark:- |"
        " copy-feats --compress=false --write-num-frames=ark,t:lengths ark:- ark,scp:voiced.ark,voiced.scp",
        beside_kaldi=True,
    )
    what = "CMVN + selection + copy to disk (steps/prepare_feats.sh), start-up included"
    speed, here = figures(lambda whole: audio / whole.cpu, whole)
    yield Row("features", what, "x", speed, None, None, True, whole.peak_mb, kaldi_here=here)


def _compression(place: Place) -> Iterator[Row]:
    megabytes = place.sizes.feats * FEATURE_FRAMES * FEATURE_DIM * 4 / 1e6
    nothing = ["copy-feats", "--compress=true", "ark:/dev/null", "ark:/dev/null"]
    start = place.measure(nothing, code=1, beside_kaldi=True)
    cases = (
        (
            "copy-feats --compress, method 2, from an ark",
            "--compress=true --compression-method=2 ark:feats.ark",
            230,
            100,
        ),
        (
            "copy-feats --compress, method 2, from an scp",
            "--compress=true --compression-method=2 scp:feats.scp",
            None,
            100,
        ),
        ("copy-feats, compressed to plain", "ark:feats_cm.ark", None, None),
        ("copy-feats, plain to plain", "ark:feats.ark", None, None),
    )
    for what, arguments, kaldi, goal in cases:
        used = place.measure(["copy-feats", *arguments.split(), "ark:copy.ark"], beside_kaldi=True)
        speed, here = figures(lambda used, start: megabytes / used.after(start), used, start)
        yield Row("features", what, "MB/s of floats", speed, kaldi, goal, True, used.peak_mb, kaldi_here=here)


def _rooms(place: Place) -> Iterator[Row]:
    count, seconds = place.sizes.reverberated, place.sizes.wave_seconds
    waves = [line.split()[1] for line in (place.folder / "wav.scp").read_text().splitlines()]
    lines = [
        f"u{i:05} wav-reverberate --shift-output=true --impulse-response=rir.wav {waves[i % len(waves)]} - |\n"
        for i in range(count)
    ]
    (place.folder / "rooms.scp").write_text("".join(lines))
    start = place.measure(["wav-reverberate", "--impulse-response=rir.wav", "short/0000.wav", "/dev/null"])
    inner = place.measure(["wav-copy", "scp:rooms.scp", "ark:/dev/null"])
    one = inner.after(start) / count
    what = f"wav-reverberate with a room of 0.5 s, {seconds} s waves, as inner pipes"
    yield Row("features", what, "x", seconds / one, None, None, True, inner.peak_mb)
    yield _against_direct(place, waves[0], one)
    yield _against_processes(place, lines, one)


def _against_direct(place: Place, wave: str, one: float) -> Row:
    """The sum of products as it is written, in numpy's C loop."""
    calls = 1 if place.scale == "tiny" else 3
    python = ["python3", "-c"]
    start = place.measure([*python, DIRECT.format(calls=0), wave, "rir.wav"])
    used = place.measure([*python, DIRECT.format(calls=calls), wave, "rir.wav"])
    what = (
        f"the same by direct convolution ({place.sizes.wave_seconds * SAMPLE_RATE:,} x 8,000 products), times as long"
    )
    return Row("features", what, "times", used.after(start) / calls / one, None, 1, True)


def _against_processes(place: Place, lines: list[str], one: float) -> Row:
    """A wrapper found first on PATH makes each pipe a process."""
    some = lines[: min(len(lines), 20)]
    (place.folder / "some_rooms.scp").write_text("".join(some))
    used = place.measure(["wav-copy", "scp:some_rooms.scp", "ark:/dev/null"], first_on_path=wrappers(place.folder))
    return Row(
        "features",
        "the same as one process an utterance, times as long",
        "times",
        used.cpu / len(some) / one,
        None,
        1,
        True,
    )


def wrappers(folder: Path) -> Path:
    """A folder of scripts that call minikaldi's commands: found first on PATH, they are not run inside."""
    found = folder / "wrappers"
    if not found.is_dir():
        found.mkdir()
        for link in (ROOT / "minikaldi" / "bin").iterdir():
            (found / link.name).write_text(f'#!/bin/sh\nexec "{link}" "$@"\n')
            (found / link.name).chmod(0o755)
    return found
