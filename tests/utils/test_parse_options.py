"""utils/parse_options.sh: what a script that sources it sees."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SCRIPT = """#!/usr/bin/env bash
set -euo pipefail
nj=4 cmd=run.pl flag=false my_text= list=()
help_message="Usage: script.sh [options]\\nSecond line"
. {root}/utils/parse_options.sh
printf '%s\\n' "nj=$nj" "cmd=$cmd" "flag=$flag" "my_text=$my_text" "list=${{list[*]-}}" "n=$#" "args=$*"
"""


@pytest.fixture
def script(root: Path, tmp_path: Path):
    path = tmp_path / "script.sh"
    path.write_text(SCRIPT.format(root=root))

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", str(path), *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )

    return call


def values(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert done.returncode == 0, done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def test_defaults_stay_and_arguments_are_left_alone(script) -> None:
    assert values(script("x", "--nj", "3")) == {
        "nj": "4", "cmd": "run.pl", "flag": "false", "my_text": "", "list": "", "n": "3", "args": "x --nj 3",
    }  # fmt: skip


def test_both_forms_and_dashes_in_names(script) -> None:
    found = values(script("--nj", "8", "--my-text=a=b c", "--flag", "true", "x y", "z"))
    assert (found["nj"], found["my_text"], found["flag"], found["n"]) == ("8", "a=b c", "true", "2")


HOSTILE = ["$(touch pwned)", '"; touch pwned; "', "`touch pwned`", "a[$(touch pwned)]", "-3", "\\"]


@pytest.mark.parametrize("value", HOSTILE)
def test_values_are_stored_and_never_evaluated(script, tmp_path: Path, value: str) -> None:
    assert values(script("--my-text", value))["my_text"] == value
    assert not (tmp_path / "pwned").exists()


def test_an_array_collects_what_is_repeated(script) -> None:
    assert values(script("--list", "a=1", "--list=b=2"))["list"] == "a=1 b=2"


@pytest.mark.parametrize("name", ["foo", "foo[0]", "a b", "", "BASHOPTS", "1x"])
def test_an_unknown_option_is_an_error_that_names_it(script, name: str) -> None:
    done = script(f"--{name}=3")
    assert done.returncode == 1
    assert f"--{name}" in done.stderr


def test_booleans_are_checked(script) -> None:
    done = script("--flag", "yes")
    assert done.returncode == 1
    assert 'expected "true" or "false"' in done.stderr


def test_a_missing_value_and_an_empty_cmd_are_errors(script) -> None:
    assert "--nj needs a value" in script("--nj").stderr
    done = script("--cmd", "")
    assert (done.returncode, "empty argument to --cmd" in done.stderr) == (1, True)


def test_help_prints_the_message_and_ends_well(script) -> None:
    done = script("--nj", "3", "--help")
    assert (done.returncode, done.stdout) == (0, "Usage: script.sh [options]\nSecond line\n")


def test_a_config_file_is_read_before_the_options_and_not_run(script, tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text('nj=11 # jobs\nmy-text="a b"\r\n\n# flag=true\nflag=true\n')
    found = values(script("--nj", "2", "--config", "a.conf", "x"))
    assert (found["nj"], found["my_text"], found["flag"], found["args"]) == ("2", "a b", "true", "x")
    (tmp_path / "b.conf").write_text("nj=1\ntouch pwned\n")
    done = script("--config", "b.conf")
    assert (done.returncode, "b.conf:2" in done.stderr) == (1, True)
    assert not (tmp_path / "pwned").exists()


def test_a_scripts_own_config_may_be_the_option_file_of_a_program(root: Path, tmp_path: Path) -> None:
    (tmp_path / "mfcc.conf").write_text("--num-ceps=30\n")
    lines = f'set -euo pipefail; config= nj=1; . {root}/utils/parse_options.sh; echo "$config $nj"'
    command = ["bash", "-c", lines, "x", "--config", "mfcc.conf", "--nj", "3"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "mfcc.conf 3\n"


def test_a_double_dash_ends_the_options(script) -> None:
    assert values(script("--nj", "2", "--", "--nj", "3"))["args"] == "--nj 3"
