"""Pipes of our commands inside this process and as processes: the same bytes, whichever way; and which way it is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from minikaldi.commands import MODULES
from minikaldi.io import open_read, open_write
from minikaldi.io.inner import parse_pipeline

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
# Every command reads its standard input or writes its standard output here, where it can.
CHAINS = [
    "copy-feats scp:mfcc.scp ark:- | apply-cmvn-sliding --center=true ark:- ark:- | add-deltas ark:- ark:- | "
    "subsample-feats --n=3 ark:- ark:- | copy-feats --compress=true ark:- ark:-",
    "extract-segments scp:wav.scp segments ark:- | wav-copy ark:- ark:- | wav-to-duration ark:- ark,t:-",
    "compute-mfcc-feats --dither=0 --config=mfcc.conf scp:wav.scp ark:- | compute-vad --config=vad.conf ark:- ark,t:-",
    "cat wav.scp | compute-fbank-feats --dither=0 --config=fbank.conf scp:- ark,t:- | feat-to-len ark:- ark,t:-",
    "cat mfcc.ark | select-voiced-frames ark:- scp,s,cs:vad.scp ark:- | feat-to-dim ark:- -",
    "compute-cmvn-stats scp:mfcc.scp ark:- | apply-cmvn --norm-vars=true ark,s,cs:- scp:mfcc.scp ark:-",
    "cat wav/spk1-utt0.wav | wav-copy - - | wav-reverberate --impulse-response='cat wav/rir.wav |' "
    """--additive-signals='wav-copy "wav/noise1.wav" - |' --snrs=5 --start-times=0.1 - - | to_wav.py - 8000""",
    "ivector-subtract-global-mean mean.vec scp:test.scp ark:- | transform-vec transform.mat ark:- ark:- | "
    "ivector-normalize-length ark:- ark:- | copy-vector --scale=2 ark:- ark,t:-",
    "cat transform.mat | copy-matrix --binary=false - - | ivector-transform - scp:test.scp ark:-",
    "cat test.spk2utt | ivector-mean ark:- scp:test.scp ark,t:- | copy-vector ark:- ark:-",
    "ivector-mean scp:train.scp - | ivector-subtract-global-mean - scp:test.scp ark:-",
    "ivector-compute-plda ark:train.spk2utt ark:train.lda.ark - | ivector-copy-plda --smoothing=0.1 - - | "
    "ivector-adapt-plda - ark:adapt.lda.ark - | ivector-copy-plda --binary=false - -",
    "ivector-compute-lda --dim=8 'ark:ivector-subtract-global-mean scp:train.scp ark:- |' ark:train.utt2spk - | "
    "est-pca --dim=2 --read-vectors=false 'ark:copy-feats scp:mfcc.scp ark:- |' - | copy-matrix --binary=false - -",
    "cat plda | ivector-plda-scoring-dense - ark:reco2utt ark:test.lda.ark ark:- | copy-matrix ark:- ark,t:- | "
    "agglomerative-cluster --threshold=0.0 ark:- ark:reco2utt ark,t:-",
    """ivector-compute-dot-products "cut -d' ' -f1,2 trials |" ark:test.lda.ark ark:test.lda.ark -""",
    "cat spk_trials | ivector-plda-scoring --num-utts=ark:num_utts.txt 'cat plda |' ark:spk.lda.ark "
    "'ark:copy-vector ark:test.lda.ark ark:- |' - -",
    "cat reco2num | copy-int-vector ark:- ark:- | copy-int-vector ark:- ark,t:-",
    "gmm-global-init-from-feats --num-gauss=8 --num-iters=3 'ark:copy-feats ark:iv.ark ark:- |' - | "
    "gmm-global-copy - - | gmm-global-acc-stats - ark:iv.ark - | gmm-global-sum-accs - - | "
    "gmm-global-est init.dubm - - | gmm-global-to-fgmm - - | "
    "fgmm-global-copy --binary=false - -",
    "gmm-gselect --n=4 'fgmm-global-to-gmm init.fubm - |' ark:iv.ark ark:- | "
    "fgmm-global-acc-stats --gselect=ark:- init.fubm ark:iv.ark - | fgmm-global-sum-accs - - full.acc | "
    "fgmm-global-est init.fubm - -",
    "fgmm-global-gselect-to-post --min-post=0.1 final.ubm ark:iv.ark ark:gselect.ark ark:- | "
    "scale-post ark:- 0.5 ark,t:-",
    "ivector-extractor-init --ivector-dim=6 --use-weights=false final.ubm - | ivector-extractor-copy - - | "
    "ivector-extractor-acc-stats - 'ark:copy-feats ark:iv.ark ark:- |' ark:post.ark - | "
    "ivector-extractor-sum-accs --parallel=true - 0.acc - | ivector-extractor-est 0.ie - - | "
    "ivector-extract --verbose=2 - ark:iv.ark ark:post.ark ark,t:-",
    "cat eer.in | compute-eer -",
]
_OUTPUTS = re.compile(r"(\S*:)?\$OUT/\S+$")


def golden_commands() -> dict[str, str]:
    """Golden cases with one output, which is made the standard output, and what a shell alone understands left out."""
    found = {}
    for case in sorted((GOLDEN / "cases").iterdir()):
        command = (case / "cmd").read_text().strip()
        if command.count("$OUT") == 1 and _OUTPUTS.search(command) and not re.search("[;&>]", command):
            found[case.name] = _OUTPUTS.sub(r"\1-", command)
    return found


@pytest.fixture(autouse=True)
def inputs(monkeypatch: pytest.MonkeyPatch, command_env: dict[str, str]) -> None:
    """Our commands on PATH, the golden inputs here."""
    monkeypatch.setenv("PATH", command_env["PATH"])
    monkeypatch.chdir(GOLDEN / "inputs")


def by_processes(command: str, stdin: bytes = b"") -> tuple[int, bytes]:
    """Exit code and output of the pipeline as bash runs it, a process for each command."""
    done = subprocess.run(["bash", "-c", command], input=stdin, capture_output=True, check=False)
    return done.returncode, done.stdout


READER = """import sys
from minikaldi.io import open_read
with open_read(sys.argv[1]) as stream:
    sys.stdout.buffer.write(stream.read())
"""


def by_one_process(command: str) -> tuple[int, bytes]:
    """The same by one Python; with one thread for linear algebra, as the launcher has it: more add in another order."""
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(GOLDEN.parents[1])}
    done = subprocess.run([sys.executable, "-c", READER, f"{command} |"], env=env, capture_output=True, check=False)
    assert done.returncode == 0 or b"failed with exit code" in done.stderr
    return done.returncode, done.stdout


def check_both_ways(command: str) -> None:
    """The same bytes, not none."""
    assert parse_pipeline(command) is not None, "not run inside"
    assert by_processes(command) == by_one_process(command) != (0, b"")


@pytest.mark.parametrize("command", CHAINS)
def test_pipeline_inside_gives_the_bytes_of_the_processes(command: str) -> None:
    check_both_ways(command)


@pytest.mark.slow
@pytest.mark.parametrize("name", golden_commands())
def test_golden_command_inside_gives_the_bytes_of_the_process(name: str) -> None:
    if (GOLDEN / "cases" / name / "rc").read_text().strip() == "0":
        check_both_ways(golden_commands()[name])
        return
    command = golden_commands()[name]
    assert parse_pipeline(command) is not None
    assert by_processes(command)[0] != 0 != by_one_process(command)[0]


def test_every_command_is_in_a_pipeline_here() -> None:
    named = {word for command in [*CHAINS, *golden_commands().values()] for word in re.findall(r"[\w.-]+", command)}
    assert set(MODULES) <= named, f"add a pipeline with {set(MODULES) - named} to CHAINS"


@pytest.mark.parametrize(
    ("source", "command", "target"),
    [
        ("mfcc.ark", "copy-feats ark:- ark,t:{0}", "x"),
        (
            "mfcc.ark",
            "add-deltas ark:- ark:- | select-voiced-frames ark:- scp:vad.scp ark:- | copy-feats ark:- ark:{0}",
            "x",
        ),
        ("test.lda.ark", "ivector-normalize-length ark:- ark:- | ivector-mean ark:test.spk2utt ark:- ark:{0}", "x"),
        ("wav/rir.wav", "wav-copy - - | wav-copy - {0}", "x.wav"),
    ],
)
def test_pipe_to_write_to_makes_the_same_file_both_ways(source: str, command: str, target: str, tmp_path: Path) -> None:
    data = Path(source).read_bytes()
    inside, outside = tmp_path / f"inside_{target}", tmp_path / f"outside_{target}"
    assert parse_pipeline(command.format(inside)) is not None
    with open_write(f"| {command.format(inside)}") as stream:
        stream.write(data)
    assert by_processes(command.format(outside), data)[0] == 0
    assert inside.read_bytes() == outside.read_bytes() != b""


def test_no_wrapper_that_path_finds_first_is_bypassed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in MODULES:
        assert parse_pipeline(f"{name} a - | {name} - -") is not None
        (tmp_path / name).write_text('#!/bin/sh\necho "$0" "$@"\n')
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name in MODULES:
        for command in (f"{name} a -", f"cat plda | {name} - -", f"cat plda | {name} - - | {name} - -"):
            assert parse_pipeline(command) is None
        with open_read(f"{name} --x=1 'a b' - |") as stream:
            assert stream.read().decode() == f"{tmp_path}/{name} --x=1 a b -\n"


def test_a_wrapper_between_our_commands_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "copy-feats").write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/log\nexec {GOLDEN.parents[1]}/minikaldi/bin/copy-feats "$@"\n'
    )
    (tmp_path / "copy-feats").chmod(0o755)
    command = "add-deltas scp:mfcc.scp ark:- | copy-feats ark:- ark:- | feat-to-len ark:- ark,t:-"
    check_both_ways(command)
    expected = by_processes(command)[1]
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with open_read(f"{command} |") as stream:
        assert stream.read() == expected
    assert (tmp_path / "log").read_text() == "ark:- ark:-\n"


@pytest.mark.parametrize("word", ["/dev/stdin", "ark:/dev/fd/0", "/proc/self/fd/1", "ark,t:/dev/stdout"])
def test_names_that_mean_the_streams_of_a_process_need_one(word: str) -> None:
    assert parse_pipeline(f"copy-feats scp:mfcc.scp {word}") is None
    with open_read("cat mfcc.ark | copy-feats ark:/dev/stdin ark:/dev/stdout |") as stream:
        assert stream.read() == Path("mfcc.ark").read_bytes()


SCORING = (GOLDEN / "cases" / "plda-score-recipe" / "cmd").read_text().strip()


@pytest.mark.parametrize("wrapped", [False, True])
def test_scoring_line_of_eight_commands_starts_one_python(
    wrapped: bool, tmp_path: Path, command_env: dict[str, str]
) -> None:
    """Each Python says that it starts; with wrappers on PATH, which are never bypassed, each command is one."""
    names = re.findall(r"ivector-[\w-]+|transform-vec", SCORING)
    assert len(names) == 8
    (tmp_path / "sitecustomize.py").write_text(
        f"import os\nopen('{tmp_path}/pids', 'a').write(f'{{os.getpid()}}\\n')\n"
    )
    env = {**command_env, "PYTHONPATH": str(tmp_path), "OUT": str(tmp_path)}
    if wrapped:
        (tmp_path / "bin").mkdir()
        for name in names:
            (tmp_path / "bin" / name).write_text(f'#!/bin/sh\nexec {GOLDEN.parents[1]}/minikaldi/bin/{name} "$@"\n')
            (tmp_path / "bin" / name).chmod(0o755)
        env["PATH"] = f"{tmp_path}/bin:{env['PATH']}"
    subprocess.run(["bash", "-c", SCORING], env=env, check=True, capture_output=True)
    pids = set((tmp_path / "pids").read_text().split())
    assert len(pids) == (8 if wrapped else 1)
    plain = tmp_path / "plain"
    plain.mkdir()
    subprocess.run(["bash", "-c", SCORING], env={**command_env, "OUT": str(plain)}, check=True, capture_output=True)
    assert (tmp_path / "scores").read_bytes() == (plain / "scores").read_bytes()


def test_the_step_scores_by_that_line(root: Path) -> None:
    """Its pipes are of our commands alone, but for the cutting of trials, which starts no Python."""
    step = (root / "steps" / "score_plda.sh").read_text()
    first, chain = re.search(r'centred="(.*)"', step), re.search(r'echo "ark:\$centred (.*) \|"', step)
    assert first and chain and parse_pipeline(re.sub(r"\$\w+", "x", f"{first[1]} {chain[1]}")) is not None
    assert parse_pipeline("ivector-copy-plda --smoothing=0.0 x/plda -") is not None
    assert '"ivector-copy-plda --smoothing=$smoothing $backend/plda - |"' in step
