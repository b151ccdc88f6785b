"""Claims about trial lists: any blanks between the keys, any bytes in them, lists longer than a block, wrong lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minikaldi.ivectorbin import trial_scores
from tests.minikaldi.helpers.ivector_tables import run, write_vectors

KEYS = {"a": [1.0, 2.0], "b%s": [3.0, -4.0], "ä-%d": [0.5, 0.25], "id\u00a0x": [1e-9, 1e6]}


@pytest.fixture(params=[1 << 20, 16], ids=["one block", "many blocks"])
def block_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Lists are read in blocks of this many bytes, so that lines stand across their ends."""
    monkeypatch.setattr(trial_scores, "BYTES_PER_BLOCK", request.param)
    return int(request.param)


def score(folder: Path, trials: bytes) -> tuple[int, bytes]:
    """Exit code and scores; the list comes from a file."""
    (folder / "trials").write_bytes(trials)
    table = write_vectors(folder / "v.ark", KEYS)
    return run("ivector-compute-dot-products", folder / "trials", table, table, "-")


def expected(pairs: list[tuple[str, str]]) -> bytes:
    """What the C function printf makes of the sums of products, seven digits."""
    vectors = {key: np.array(vector, dtype=np.float32).astype(np.float64) for key, vector in KEYS.items()}
    return b"".join(f"{one} {other} {vectors[one] @ vectors[other]:.7g}\n".encode() for one, other in pairs)


def test_keys_may_hold_any_character_but_blanks(tmp_path: Path, block_bytes: int) -> None:
    pairs = [(one, other) for one in KEYS for other in KEYS]
    assert score(tmp_path, "".join(f"{one} {other}\n" for one, other in pairs).encode()) == (0, expected(pairs))


@pytest.mark.parametrize(
    "line", [b"a b%s", b"a\tb%s", b" a  b%s ", b"a b%s\r", b"\ta\x0b\x0cb%s\t \r"], ids=lambda line: str(line)
)
def test_any_blanks_stand_between_the_keys(tmp_path: Path, block_bytes: int, line: bytes) -> None:
    assert score(tmp_path, b"a a\n" + line + b"\na a\n") == (0, expected([("a", "a"), ("a", "b%s"), ("a", "a")]))


def test_the_last_line_needs_no_end(tmp_path: Path, block_bytes: int) -> None:
    assert score(tmp_path, b"a a\na b%s") == (0, expected([("a", "a"), ("a", "b%s")]))


@pytest.mark.parametrize(
    ("trials", "number", "shown"),
    [
        (b"a\n", 1, "a"),
        (b"a a\n" * 9 + b"a a target\n", 10, "a a target"),
        (b"a a\n\na a\n", 2, ""),
        (b"a a\n a\na a a\n", 2, " a"),
        (b"a a\n a\n b%s \n", 2, " a"),
        (b"a a\n\xff\n", 2, r"\xff"),
        (b"a a\n\n", 2, ""),
    ],
)
def test_a_line_of_another_form_is_refused_by_its_number(
    tmp_path: Path, block_bytes: int, trials: bytes, number: int, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score(tmp_path, trials)[0] == 255
    complaint = f"{tmp_path / 'trials'}: Bad line {number} in input (expected two fields: key1 key2): {shown}\n"
    assert complaint in capsys.readouterr().err


def test_unknown_keys_are_left_out_in_order_and_counted(
    tmp_path: Path, block_bytes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    code, scores = score(tmp_path, b"x a\na a\na y%s\nx y\nb%s a\nz z\n")
    assert (code, scores) == (0, expected([("a", "a"), ("b%s", "a")]))
    said = capsys.readouterr().err
    warned = [line.partition("Key ")[2] for line in said.splitlines() if "Key " in line]
    first, second = "not present in 1st table of ivectors.", "not present in 2nd table of ivectors."
    assert warned == [f"x {first}", f"y%s {second}", f"x {first}", f"z {first}"]
    assert "Processed 2 trials 4 had errors." in said


def test_no_trials_are_a_failure_and_an_empty_file(tmp_path: Path, block_bytes: int) -> None:
    assert score(tmp_path, b"") == (1, b"")
    assert score(tmp_path, b"x y\n") == (1, b"")


def test_mean_and_deviation_are_those_of_all_scores(
    tmp_path: Path, block_bytes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = [(one, other) for one in KEYS for other in KEYS if one != "id\u00a0x" and other != "id\u00a0x"]
    _, scores = score(tmp_path, "".join(f"{one} {other}\n" for one, other in pairs).encode())
    values = np.array([float(line.split()[2]) for line in scores.decode().splitlines()])
    said = f"Mean dot-product was {values.mean():.6g}, standard deviation was {values.std():.6g}"
    assert said in capsys.readouterr().err
