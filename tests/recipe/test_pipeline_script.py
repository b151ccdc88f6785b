"""pipeline.sh and utils/stage_functions.sh: short, without eval; how a stage begins and ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from recipe.bash_names import fields_for_bash
from recipe.calls import cpu_seconds, working_directory
from tests.helpers.own_processes import wait_until

BASH = shutil.which("bash") or "bash"


def test_the_recipe_is_short_and_evaluates_nothing(root: Path) -> None:
    lines = (root / "pipeline.sh").read_text().splitlines()
    assert len(lines) <= 150 and max(map(len, lines)) <= 120
    for path in ("pipeline.sh", "utils/stage_functions.sh", "utils/recipe_calls.sh"):
        text = (root / path).read_text()
        assert "eval" not in text and max(map(len, text.splitlines())) <= 120


ASK = """set -euo pipefail
cd "$1"
. utils/stage_functions.sh
plan='a plan' dry_run=${dry:-false} exp=$2/exp force=false last_stage=11 next_stage=4
stage_folder=$2/exp stage_marker=$2/exp/.stages/4.json announcement='stage 4/12: a -> b'
ask() {
  echo "ask $1 $2"
  case $1 in again) next_stage=$again ;; completed) next_stage=7 ;; esac
}
"""
RECIPE = """for number in 3 4 7; do
  if stage $number; then
    run echo "stage $number runs"
    ls -A "$stage_folder/.stages"
  fi
done
end_run
"""


def bash(root: Path, folder: Path, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    settings = [f"{name}={value}" for name, value in variables.items()]
    command = ["env", *settings, "bash", "-c", script, "x", root, folder]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_next_stage_runs_under_its_lock_without_a_marker(root: Path, tmp_path: Path) -> None:
    stages = tmp_path / "exp" / ".stages"
    stages.mkdir(parents=True)
    (stages / "4.json").write_text("{}")
    done = bash(root, tmp_path, ASK + RECIPE.replace("3 4 7", "3 4"))
    assert done.stdout == "stage 4 runs\nlock\nask completed 4\n"
    assert done.stderr.endswith(" stage 4/12: a -> b\n") and done.returncode == 0
    assert (stages / "lock").read_text().startswith("pid ")
    assert (tmp_path / "exp" / "plan.yaml").read_text() == "a plan"


@pytest.mark.parametrize(("again", "runs"), [("4", True), ("7", False)])
def test_a_stage_that_was_waited_for_is_checked_again(root: Path, tmp_path: Path, again: str, runs: bool) -> None:
    lock = tmp_path / "exp" / ".stages" / "lock"
    lock.parent.mkdir(parents=True)
    with lock.open("w") as holder, (tmp_path / "out").open("w") as out:
        fcntl.flock(holder, fcntl.LOCK_EX)
        script = ASK + RECIPE.replace("3 4 7", "4")
        command = ["env", f"again={again}", "bash", "-c", script, "x", root, tmp_path]
        process = subprocess.Popen(command, stdout=out)
        wait_until(lambda: "ask waiting 4" in (tmp_path / "out").read_text(), "it waits")
        assert process.poll() is None
    assert process.wait(timeout=60) == 0
    said = (tmp_path / "out").read_text()
    assert "ask again 4" in said and ("stage 4 runs" in said) is runs


def test_a_stage_is_complete_when_the_next_one_is_asked_for(root: Path, tmp_path: Path) -> None:
    script = (
        ASK + 'for number in 4 5 7; do if stage $number; then echo "$number runs"; fi; echo "after $number"; done\n'
    )
    done = bash(root, tmp_path, script)
    assert done.stdout.split("\n")[:5] == ["4 runs", "after 4", "ask completed 4", "after 5", "7 runs"]


def test_a_run_ends_if_it_cannot_be_written_down_that_a_stage_is_complete(root: Path, tmp_path: Path) -> None:
    script = ASK + 'ask() { echo "ask $1 $2"; return 3; }\nif stage 4; then echo runs; fi\nif stage 5; then :; fi\n'
    done = bash(root, tmp_path, script + "echo never")
    assert (done.returncode, done.stdout) == (3, "runs\nask completed 4\n")


def test_a_dry_run_prints_the_commands_with_every_stage_and_runs_nothing(root: Path, tmp_path: Path) -> None:
    script = ASK + 'planned=(3 7) described=(three seven)\nif stage 3; then run touch "$2/a b"; fi\n'
    script += "if stage 4; then run false; fi\nif stage 7; then run true; fi\n"
    done = bash(root, tmp_path, script, dry="true")
    assert done.stdout == f"three\n    command touch {tmp_path}/a\\ b\nseven\n    command true\n"
    assert list(tmp_path.iterdir()) == []


def test_names_reach_bash_whatever_they_hold(root: Path, tmp_path: Path) -> None:
    values = {"plain": "a $(b)\n'c' \udcff", "none": None, "yes": True, "list_of": ("x y", "", "*"), "empty": ()}
    (tmp_path / "fields").write_bytes(fields_for_bash(values))
    (tmp_path / "utils").mkdir()
    (tmp_path / "utils" / "recipe.py").write_text(
        "import os, sys\nos.write(3, open('fields', 'rb').read())\nprint('said')\nsys.exit(7)\n"
    )
    script = f'. {root}/utils/stage_functions.sh; cd "$2"; ask x || echo "code $?"; '
    script += 'printf "<%s>" "$plain" "$none" "$yes" "${list_of[@]}" "${#empty[@]}"'
    done = subprocess.run(["bash", "-euc", script, "x", root, tmp_path], capture_output=True, check=True)
    assert done.stdout == b"said\ncode 7\n<a $(b)\n'c' \xff><-><true><x y><><*><0>"


def test_a_checkout_that_is_reached_by_a_link_has_the_links_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path / "link")
    for pwd, found in (("link", "link"), ("nowhere", "real"), (".", "real")):
        monkeypatch.setenv("PWD", str(tmp_path / pwd))
        assert working_directory() == tmp_path / found


def test_cpu_time_is_that_of_the_processes_a_shell_has_waited_for(tmp_path: Path) -> None:
    burn = "i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done"
    script = f"before=$(< /proc/$$/stat); bash -c '{burn}'; echo $$; echo \"$before\"; read -r _"
    with subprocess.Popen(["bash", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as shell:
        assert shell.stdout is not None
        pid, before = int(shell.stdout.readline()), shell.stdout.readline()
        seconds = cpu_seconds(pid, before)
        shell.communicate("\n")
    assert seconds is not None and 0.05 < seconds < 60
    assert cpu_seconds(pid, "") is None


BEGIN = """set -euo pipefail
. "$ROOT/utils/stage_functions.sh"
begin_run "$@"
echo "begun with $nj jobs"
"""
RECIPE_PY = """import os, signal, sys
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
calls = open('calls', 'a+'); calls.write('x'); calls.seek(0)
code = int(os.environ['CODES'].split()[len(calls.read()) - 1])
fields = ['plan', '-', 'a plan', 'nj', '-', '3'] if code == 0 else ['dry_run', '-', os.environ['DRY']]
os.write(3, b''.join(field.encode() + bytes(1) for field in fields))
os.kill(os.getpid(), -code) if code < 0 else sys.exit(code)
"""


def begin(root: Path, folder: Path, *words: str, codes: str, dry: str = "false", path: str = "") -> tuple[int, str]:
    """Exit code and output of a recipe that begins; utils/recipe.py ends with each of `codes` in turn."""
    scripts = {
        "pipeline.sh": BEGIN,
        "path.sh": "",
        "cmd.sh": "",
        "utils/recipe.py": RECIPE_PY,
        "utils/prepare_environment.sh": "#!/bin/sh\necho installs\n",
    }
    (folder / "utils").mkdir()
    for name, text in scripts.items():
        (folder / name).write_text(text)
    (folder / "utils/prepare_environment.sh").chmod(0o755)
    env = {**os.environ, "ROOT": str(root), "CODES": codes, "DRY": dry, "PIPELINE_RUN": f"{os.getpid()}-1"}
    if path:
        env["PATH"] = path
    command = [BASH, f"{folder}/pipeline.sh", *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("codes", "code", "says"),
    [
        ("0", 0, "begun with 3 jobs\n"),
        ("1", 1, ""),
        ("2", 2, ""),
        ("-13", 141, ""),  # `--help | head` ended it by SIGPIPE
        ("-9", 137, ""),
        ("3 0", 0, "installs\nbegun with 3 jobs\n"),
        ("3 1", 1, "installs\n"),
    ],
)
def test_packages_are_installed_only_if_they_are_missing(
    root: Path, tmp_path: Path, codes: str, code: int, says: str
) -> None:
    assert begin(root, tmp_path, codes=codes) == (code, says)


def test_packages_that_are_missing_even_after_the_installation_are_reported(root: Path, tmp_path: Path) -> None:
    code, said = begin(root, tmp_path, codes="3 3")
    assert (code, said.count("\n")) == (1, 2)
    assert said.startswith("installs\npipeline.sh: packages are still missing after utils/prepare_environment.sh")


def test_a_dry_run_installs_nothing(root: Path, tmp_path: Path) -> None:
    code, said = begin(root, tmp_path, codes="3", dry="true")
    assert code == 1 and "--dry-run installs none" in said and "installs\n" not in said


@pytest.mark.parametrize(
    ("words", "installs"),
    [
        (["--dry-run"], False),
        (["--seed", "3", "--dry-run=true"], False),
        (["--dry-run", "true"], False),
        (["--dry-run", "false"], True),
        (["--dry-run=false", "--seed=2"], True),
        (["--dry-runs"], True),
    ],
)
def test_without_any_python_the_words_say_whether_it_is_a_dry_run(
    root: Path, tmp_path: Path, words: list[str], installs: bool
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "dirname").symlink_to("/usr/bin/dirname")
    code, said = begin(root, tmp_path, *words, codes="", path=str(tmp_path / "bin"))
    assert code != 0 and ("installs\n" in said) is installs and ("--dry-run installs none" in said) is not installs


@pytest.mark.parametrize("blocked", [".stages", ".stages/lock", "4.json", "plan.yaml"])
def test_a_stage_whose_files_cannot_be_written_does_not_run(root: Path, tmp_path: Path, blocked: str) -> None:
    exp = tmp_path / "exp"
    script = ASK
    if blocked == ".stages":
        exp.mkdir()
        (exp / ".stages").write_text("")
    elif blocked == "4.json":  # a folder is not removed by rm -f
        (exp / ".stages" / "4.json").mkdir(parents=True)
    else:
        (exp / blocked / "x").mkdir(parents=True)
    done = bash(root, tmp_path, script + RECIPE.replace("3 4 7", "4"))
    assert done.returncode != 0 and "runs" not in done.stdout


def test_the_plan_is_written_whole(root: Path, tmp_path: Path) -> None:
    """The earlier file is replaced, not written into: a link to it keeps its text."""
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / "plan.yaml").write_text("the plan before")
    (tmp_path / "before").hardlink_to(tmp_path / "exp" / "plan.yaml")
    bash(root, tmp_path, ASK + RECIPE.replace("3 4 7", "4"))
    assert (tmp_path / "exp" / "plan.yaml").read_text() == "a plan"
    assert (tmp_path / "before").read_text() == "the plan before"
