"""Trees and trial lists that cannot be right are refused by their names, before any file is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import InputError
from local import check_roots, check_speakers


def touch(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    speakers = [f"train/{spk}/u{utt}.wav" for spk in ("a", "b", "c") for utt in range(3)]
    speakers += [f"test/{spk}/session/u{utt}.flac" for spk in ("d", "e") for utt in range(2)]
    return touch(tmp_path / "corpus", *speakers)


def check(*arguments: object) -> None:
    check_roots.main([*map(str, arguments)])


def test_two_trees_of_speakers_are_accepted(corpus: Path, tmp_path: Path) -> None:
    more = touch(tmp_path / "more", "a/x.wv1", "x.txt", "@eaDir/y.wav", ".hidden/x.wav")
    (tmp_path / "list").write_text("1 d/session/u0 d/session/u1\n0 d/session/u0 e/session/u1\n")
    roots = ("--train-root", corpus / "train", "--train-root", more, "--test-root", corpus / "test")
    check(*roots, "--trials", tmp_path / "list")
    touch(corpus / "train", "Dev/u0.wav", "val/u0.wav", "test-7/u0.wav")  # people, with audio in their folders
    check("--train-root", corpus / "train", "--test-root", corpus / "test")


@pytest.mark.parametrize(
    ("train", "test", "says"),
    [
        ("nowhere", "test", "--train-root is .*/nowhere, which is not a folder; expected <root>/<speaker>"),
        ("train", "nowhere", "--test-root is .*/nowhere, which is not a folder"),
        ("train", "train", "--train-root .*/train and --test-root .*/train are the same folder"),
        ("train", "link", "--train-root .*/train and --test-root .*/link are the same folder"),
        (".", "test", r"--train-root .* is a level too high: its folders test, train are sets, not speakers"),
        ("train", ".", r"--test-root .* is a level too high: its folders test, train are sets.*as --test-root .*/test"),
        ("libri", "test", r"level too high: its folders dev-clean, train-clean-100 are sets"),
        ("above", "test", r"level too high: its folders train are sets"),
        ("people", "people/anna", ".*people/anna lies in .*people, and is given as another set"),
        ("people/anna", "people", ".*people/anna lies in .*people, and is given as another set"),
        ("single", "test", r"--train-root .*: found one speaker's folder, x; expected .* of two speakers at least"),
        ("train", "single", r"--test-root .*: found one speaker's folder, x; expected"),
        ("train", "people/anna/s1", r"--test-root .*: found no speaker's folder with a file; expected"),
        ("train", "overlap", r"1 speakers of .*/overlap are in .*/train too \(first: b\); take them out of"),
    ],
)
def test_wrong_roots_are_refused(corpus: Path, train: str, test: str, says: str) -> None:
    (corpus / "link").symlink_to("train")
    touch(corpus, "libri/train-clean-100/19/198/1.flac", "libri/dev-clean/84/121/1.flac", "libri/doc/a.txt")
    touch(corpus, "above/train/a/1.wav", "people/anna/s1/1.wav", "people/anna/s2/1.wav", "people/bob/s1/1.wav")
    touch(corpus, "single/x/1.wav", "overlap/b/1.wav", "overlap/z/1.wav", "overlap/c/.hidden")
    with pytest.raises(InputError, match=says):
        check("--train-root", corpus / train, "--test-root", corpus / test)


@pytest.mark.parametrize(
    "names",
    [
        ("test01", "test02", "test03"),
        ("dev_001", "dev_002"),
        ("test01", "test02", "anna"),
        ("dev", "anna", "bob"),
        tuple(f"test-{name}" for name in "abcdefghijkl"),
    ],
)
def test_speakers_whose_names_are_like_those_of_sets_are_accepted(corpus: Path, names: tuple[str, ...]) -> None:
    touch(corpus, *(f"named/{name}/session/{utt}.wav" for name in names for utt in "12"))
    check("--train-root", corpus / "named", "--test-root", corpus / "test")


@pytest.mark.parametrize(
    ("paths", "sets"),
    [
        (("data/id1/a.flac", "data/id2/a.flac", "dev/dev.lst", "eval/test/a.wav", "eval/enroll/a.wav"), "eval"),
        (("vox1_dev_wav/id1/v/1.wav", "vox1_test_wav/id2/v/1.wav"), "vox1_dev_wav, vox1_test_wav"),
        (("vox1_dev_wav/wav/id1/v/1.wav", "vox1_test_wav/wav/id2/v/1.wav"), "vox1_dev_wav, vox1_test_wav"),
        (("speakers_a/x/1.wav", "speakers_b/y/1.wav"), "speakers_a, speakers_b"),
        (("train-clean-100/1/2/3.flac", "train-clean-360/4/5/6.flac"), "train-clean-100, train-clean-360"),
    ],
)
def test_the_top_of_a_corpus_of_several_sets_is_refused(corpus: Path, paths: tuple[str, ...], sets: str) -> None:
    touch(corpus / "top", *paths)
    with pytest.raises(InputError, match=f"top is a level too high: its folders {sets} are sets, not speakers"):
        check("--train-root", corpus / "top", "--test-root", corpus / "test")


def test_a_root_in_another_of_the_same_option_is_refused(corpus: Path) -> None:
    touch(corpus, "big/anna/s1/1.wav", "big/anna/s2/1.wav", "big/bob/1.wav")
    for roots in (("big", "big/anna"), ("big/anna", "big")):
        given = [word for root in roots for word in ("--train-root", corpus / root)]
        with pytest.raises(InputError, match=r"big/anna lies in --train-root .*big: its files would be taken twice"):
            check(*given, "--test-root", corpus / "test")


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (None, "--trials is .*list, which is not a file"),
        ("1 a b\n1 a c\n", "has 2 target trials and no nontarget trial; an error rate needs both kinds"),
        ("a b nontarget\n", "has 1 nontarget trials and no target trial"),
        ("1 a b\n0 a c\n1 a b\n", "1 trials appear twice: line 3: a b target is already on line 1; remove"),
        ("1 a b\n0 a c\n0 a b\n", "twice: line 3: a b nontarget is already on line 1, with the other label"),
        ("1 a b\n0 a\n", "list:2: found"),
    ],
)
def test_wrong_lists_are_refused(corpus: Path, tmp_path: Path, lines: str | None, says: str) -> None:
    if lines is not None:
        (tmp_path / "list").write_text(lines)
    with pytest.raises(InputError, match=says):
        check("--train-root", corpus / "train", "--test-root", corpus / "test", "--trials", tmp_path / "list")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four utterances of each of three speakers, 1, 2, 3 and 4 s long, of two recordings."""
    utts = [(f"s{spk}-u{utt}", f"s{spk}", f"s{spk}-r{utt // 2}", utt + 1) for spk in range(3) for utt in range(4)]
    (tmp_path / "utt2spk").write_text("".join(f"{utt} {spk}\n" for utt, spk, _, _ in utts))
    (tmp_path / "utt2rec").write_text("".join(f"{utt} {rec}\n" for utt, _, rec, _ in utts))
    (tmp_path / "utt2dur").write_text("".join(f"{utt} {seconds}\n" for utt, _, _, seconds in utts))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--min-utts 4", None),
        ("--min-utts 4 --min-frames 100", None),
        ("--min-utts 4 --min-frames 150", "12 utterances of 3 speakers: 0 speakers have 4 utterances of 150 frames"),
        ("--min-utts 4 --min-frames 150 --frame-rate 200", None),
        ("--min-utts 5", r"0 speakers have 5 utterances of 0 frames \(the most is 4\), expected two .*--min-utts"),
        ("--min-utts 20 --copies 4", None),
        ("--min-utts 21 --copies 4", "0 speakers have 21 utterances"),
        ("--valid-share 0.1", r"0 speakers have three or more recordings \(the most is 2\).*--valid-share 0"),
    ],
)
def test_too_few_usable_speakers_are_an_error_in_stage_0(data: Path, arguments: str, says: str | None) -> None:
    if says is None:
        check_speakers.main([*arguments.split(), str(data)])
        return
    with pytest.raises(InputError, match=says):
        check_speakers.main([*arguments.split(), str(data)])
    if "valid" in arguments:
        (data / "utt2rec").unlink()
        check_speakers.main([*arguments.split(), str(data)])
