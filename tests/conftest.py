"""Fixtures that every test may use, and the rule that slow tests run only with --all."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import pytest

from minikaldi.running import run_pipes_inside

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

# The import of kaldi_io changes PATH for every process that a later test starts, and complains of a missing KALDI_ROOT.
_environment = dict(os.environ)
os.environ["KALDI_ROOT"] = str(ROOT)
with contextlib.suppress(ImportError):
    import kaldi_io  # noqa: F401
os.environ.clear()
os.environ.update(_environment)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the slow tests too")


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts what it puts in the background with SIGINT ignored, nohup what it runs with SIGHUP, and all that is
    # started from there inherits it.
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--all"):
        return
    skip = pytest.mark.skip(reason="slow: run with --all")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session", autouse=True)
def _pipes_inside() -> None:
    """Pipes of minikaldi's commands run inside this process, as in every program that reads tables."""
    run_pipes_inside()


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The read-only reference material beside the checkout; the test is skipped (and counted) where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not here")
    return SHARED


@pytest.fixture(scope="session")
def command_env(root: Path) -> dict[str, str]:
    """Environment in which Kaldi's command names answer from minikaldi/bin."""
    env = dict(os.environ)
    env["PATH"] = f"{root / 'minikaldi' / 'bin'}:{root / 'utils'}:{root / '.venv' / 'bin'}:{env['PATH']}"
    env["LC_ALL"] = "C"
    env.pop("KALDI_ROOT", None)
    return env
