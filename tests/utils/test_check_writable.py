"""recipe/check_writable.py: a place that refuses is named in one line before anything runs. Root is refused too."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from common.errors import InputError
from recipe.check_writable import require_writable

from .conftest import content, table


def test_a_directory_that_takes_files_is_left_as_it_was(tmp_path: Path) -> None:
    table(tmp_path / "data" / ".stages", "0.json", "{}")
    require_writable("--data", tmp_path / "data")
    require_writable("--exp", tmp_path / "not/yet/there")
    assert content(tmp_path) == {"data/.stages/0.json": "{}\n"}


@pytest.mark.parametrize("place", ["file", "file/below/it", "broken", "broken/below"])
def test_a_place_below_a_file_or_a_broken_link_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path, "file", "x")
    (tmp_path / "broken").symlink_to("nowhere")
    found = f"{place.split('/')[0]} is {'not a directory' if 'file' in place else 'a broken link'}"
    with pytest.raises(InputError) as caught:
        require_writable("--data", Path(place))
    assert str(caught.value) == f"--data is {place}: {found}; give another --data, or fix that"


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EACCES, errno.EDQUOT])
@pytest.mark.parametrize("step", ["TemporaryFile", "TemporaryDirectory"])
def test_what_the_system_says_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, step: str
) -> None:
    def refuse(**_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(tempfile, step, refuse)
    says = f"--exp is {tmp_path}/a: {tmp_path} cannot be written to: {os.strerror(number)}; give another --exp"
    with pytest.raises(InputError) as caught:
        require_writable("--exp", tmp_path / "a")
    assert str(caught.value).startswith(says)


def test_a_read_only_mount_is_refused_to_root_as_well(root: Path, tmp_path: Path) -> None:
    (tmp_path / "data" / ".stages").mkdir(parents=True)
    mount = "mount --bind data data && mount -o remount,bind,ro data data || exit 77"
    script = "from pathlib import Path; from recipe.check_writable import require_writable as check"
    script += "; check('--data', Path('data/mini'))"
    command = ["unshare", "-rm", "sh", "-c", f'{mount}; exec "$@"', "sh", sys.executable, "-c", script]
    try:
        env = {**os.environ, "PYTHONPATH": str(root)}
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if "unshare" in done.stderr or done.returncode == 77:
        pytest.skip("this machine allows no mounts")
    assert "InputError: --data is data/mini: data cannot be written to: Read-only file" in done.stderr
