"""A corpus file that is damaged or hostile is read, or refused by its name and line; nothing of it is ever run."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from common.errors import InputError
from recipe.command_line import Given
from recipe.corpus_conf import read_corpus_conf
from tests.minikaldi.helpers.fuzzing import cuts, damaged, mixtures

pytestmark = pytest.mark.filterwarnings("error")


def check(inputs: Iterable[bytes], folder: Path) -> None:
    """Read each as a corpus file."""
    path = folder / "in.conf"
    for data in inputs:
        path.write_bytes(data)
        try:
            given = Given(folder, folder)
            read_corpus_conf(str(path), given)
            given.options()
        except InputError as error:
            assert re.match(rf"{path}:\d+: ", str(error)), f"{data!r}: {error}"


def hostile() -> Iterable[bytes]:
    for value in ("$(touch x)", "`touch x`", "'; touch x; '", "x; touch x", "a[$(touch x)]", "9" * 5000, "\0", "1e9"):
        for key in ("nj", "name", "nnet_opts", "seed", "max_loss", "vad_config"):
            yield f"{key}={value}\n".encode()
    yield from (b"x[$(touch x)]=1\n", b"=", b"=1", b"a[0]=1", b"__init__=1", b"\xa0nj=3", b"nj=3\xc2\xa0")


def test_damaged_and_hostile_files_are_read_or_refused(checkout: Path, tmp_path: Path) -> None:
    good = (checkout / "conf/pipeline/mini-tiny.conf").read_bytes()
    check([*hostile(), *mixtures(good, random.Random(15), 200), *cuts(good, 100)], tmp_path)


@pytest.mark.slow
def test_files_damaged_in_many_places_are_read_or_refused(checkout: Path, tmp_path: Path) -> None:
    good = (checkout / "conf/pipeline/mini-tiny.conf").read_bytes()
    check(damaged(good, seed=16, mixed=2000, header=30, places=3), tmp_path)
