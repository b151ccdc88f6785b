"""Lists and option files as shell scripts read them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MARK = b"\xef\xbb\xbf"


def test_shell_scripts_get_clean_lines(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(MARK + b"a b\r\n\r\nc\xe3\x80\x80\xff\r\n \t\n\xff")
    script = f'. {root}/utils/clean_lines.sh; clean_lines {path} lines; printf "<%s>" "${{lines[@]}}"'
    command = ["bash", "-euo", "pipefail", "-c", script, "x"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout == b"<a b><><c\xe3\x80\x80\xff>< \t><\xff>"
    assert done.stderr.decode().splitlines() == [
        f"x: {path}: the file begins with a byte order mark; read without it",
        f"x: {path}: line ends are CRLF; read as if they were LF",
    ]
    path.write_bytes(b"\xff\xfea\0")
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stdout, b"x: %b:1: the file is UTF-16" % bytes(path) in done.stderr) == (1, b"", True)


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CR LF"])
def test_config_of_a_step_is_read_by_the_same_rule(root: Path, tmp_path: Path, end: str) -> None:
    (tmp_path / "a.conf").write_bytes(MARK + f"nj=3{end}name=a\u00a0b{end}".encode())
    script = f'nj=1 name=; . {root}/utils/parse_options.sh; echo "$nj $name"'
    command = ["bash", "-euo", "pipefail", "-c", script, "x", "--config", "a.conf"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    assert done.stdout.decode() == "3 a\u00a0b\n"
    assert (b"byte order mark" in done.stderr, b"CRLF" in done.stderr) == (True, end == "\r\n")


def test_the_recipes_file_of_a_corpus_is_read_by_the_same_rule(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "mini.conf"
    path.write_bytes(MARK + b"nj = 3\r\n# x\r\nmax_loss=0.5\r\n")
    script = f"""import sys; from pathlib import Path
sys.argv[0] = "pipeline.sh"
from recipe.command_line import Given
from recipe.corpus_conf import read_corpus_conf
given = Given(Path(), Path())
read_corpus_conf({str(path)!r}, given)
print(given.options().nj, given.options().max_loss)"""
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "3 0.5\n"
    assert done.stderr.splitlines() == [
        f"pipeline.sh: {path}: the file begins with a byte order mark; read without it",
        f"pipeline.sh: {path}: line ends are CRLF; read as if they were LF",
    ]
