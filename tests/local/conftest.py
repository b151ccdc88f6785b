"""Small audio files, and the scripts of local/ as processes."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

WriteAudio = Callable[..., Path]
RunScript = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def write_audio() -> WriteAudio:
    """write_audio(path, seconds=0.1, rate=16000, channels=1, subtype="PCM_16")

    It is a quiet noise of the path's own, in its format.
    """

    def write(path: Path, seconds: float = 0.1, rate: int = 16000, channels: int = 1, subtype: str = "PCM_16") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        own = zlib.crc32(str(path).encode())  # the same audio in training and test is refused
        noise = 0.1 * np.random.default_rng(own).standard_normal((int(seconds * rate), channels))
        soundfile.write(path, noise, rate, subtype=subtype)
        return path

    return write


@pytest.fixture
def script(root: Path, command_env: dict[str, str]) -> RunScript:
    """script("make_folder.py", "--root", path, …, code=0, env=None): run it in the checkout; fails the test on another
    exit code."""

    def run(
        name: str, *arguments: object, code: int = 0, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(root / "local" / name), *map(str, arguments)]
        result = subprocess.run(
            command, cwd=root, env=env or command_env, capture_output=True, text=True, check=False
        )
        assert result.returncode == code, result.stderr
        assert "Traceback" not in result.stderr
        return result

    return run


@pytest.fixture
def validate(root: Path, command_env: dict[str, str]) -> Callable[[Path], None]:
    """validate(data_dir) fails the test where utils/validate_data_dir.sh finds a fault."""

    def run(directory: Path) -> None:
        command = [str(root / "utils" / "validate_data_dir.sh"), "--no-text", "--no-feats", str(directory)]
        result = subprocess.run(command, cwd=root, env=command_env, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr

    return run


@pytest.fixture
def read_pairs() -> Callable[[Path], dict[str, str]]:
    """read_pairs(path): first field -> the rest of its line."""

    def read(path: Path) -> dict[str, str]:
        return dict(line.split(" ", 1) for line in path.read_text().splitlines())

    return read
