"""The VoxCeleb recipe up to its training lists, on small trees in the layouts of today's downloads."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.pipeline.helpers.voices import voice, write, write_musan, write_rirs

from .conftest import Recipe, stages_run

META1 = "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n"
META2 = "VoxCeleb2 ID ,VGGFace2 ID ,Gender ,Set \n"


def write_speaker(tree: Path, spk_id: str, number: int) -> list[str]:
    """Three videos, the first of two segments; returns their paths as the trial lists have them."""
    segments = ("video1/00001", "video1/00002", "video2/00001", "video3/00001")
    paths = [f"{spk_id}/{segment}.wav" for segment in segments]
    for utterance, path in enumerate(paths):
        write(tree / path, voice(number, utterance))
    return paths


def write_voxceleb1(root: Path) -> Path:
    """Four training and two test speakers in wav/, vox1_meta.csv, veri_test.txt."""
    rows, tests = META1, []
    for number in range(6):
        spk_id, part = f"id{10001 + number}", "test" if number >= 4 else "dev"
        paths = write_speaker(root / "wav", spk_id, number)
        tests.append(paths if part == "test" else [])
        rows += f"{spk_id}\tName_{number}\t{'mf'[number % 2]}\tUSA\t{part}\n"
    (root / "vox1_meta.csv").write_text(rows)
    lines = [f"1 {paths[0]} {paths[2]}\n1 {paths[1]} {paths[3]}\n" for paths in tests[4:]]
    lines += [f"0 {first} {second}\n" for first in tests[4] for second in tests[5]]
    (root / "veri_test.txt").write_text("".join(lines))
    return root


def write_voxceleb2(root: Path) -> Path:
    """Three speakers of dev, as a tree converted to WAV."""
    rows = META2
    for number in range(3):
        write_speaker(root / "dev" / "wav", f"id0001{number}", 40 + number)
        rows += f"id0001{number} ,n00001{number} ,{'mf'[number % 2]} ,dev \n"
    (root / "vox2_meta.csv").write_text(rows)
    return root


def options(folder: Path, voxceleb2: Path) -> list[object]:
    """The command line of the full recipe, small."""
    write_voxceleb1(folder / "vox1")
    roots = ["--voxceleb1-root", folder / "vox1", "--voxceleb2-root", voxceleb2]
    roots += ["--musan-root", write_musan(folder / "musan", with_speech=True)]
    roots += ["--rirs-root", write_rirs(folder / "RIRS_NOISES")]
    small = ["--num-augmented", 10, "--min-frames", 50, "--min-utts", 2, "--valid-share", 0.3, "--nj", 1]
    return ["--corpus", "voxceleb", *roots, *small, "--data", folder / "data", "--exp", folder / "exp" / "x"]


@pytest.mark.slow
def test_voxceleb_runs_to_its_training_lists(recipe: Recipe, tmp_path: Path) -> None:
    command = options(tmp_path, write_voxceleb2(tmp_path / "vox2"))
    done = recipe(*command, "--stop-stage", 5)
    assert stages_run(done) == [0, 1, 2, 3, 4, 5]
    data = tmp_path / "data"
    speakers = [line.split()[0] for line in (data / "train" / "spk2utt").read_text().splitlines()]
    assert speakers == ["id00010", "id00011", "id00012", "id10001", "id10002", "id10003", "id10004"]
    assert len((data / "train" / "wav.scp").read_text().splitlines()) == 28
    recordings = dict(line.split() for line in (data / "train" / "utt2rec").read_text().splitlines())
    assert recordings["id10001-video1-00002"] == "id10001-video1"
    assert len((data / "test" / "trials").read_text().splitlines()) == 20  # every line of veri_test.txt
    assert (data / "test" / "spk2gender").read_text() == "id10005 m\nid10006 f\n"
    assert (data / "musan_speech" / "wav.scp").is_file()
    lists = next(data.glob("*/lists"))
    sizes = {name: len((lists / name).read_text().splitlines()) for name in ("train.scp", "valid.scp", "dropped")}
    assert sum(sizes.values()) == 38  # 28 clean and 10 augmented, each in one of the three
    assert "babble: no speech corpus given" not in done.stdout
    assert stages_run(recipe(*command, "--stop-stage", 5)) == []


def path_without(program: str, folder: Path) -> str:
    """A PATH on which everything is found but one program."""
    folders = [entry for entry in os.environ["PATH"].split(os.pathsep) if Path(entry).is_dir()]
    if shutil.which(program) is None:
        return os.pathsep.join(folders)
    folder.mkdir()
    for entry in reversed(folders):  # the first on PATH is the last to be linked, and stays
        for path in Path(entry).iterdir():
            (folder / path.name).unlink(missing_ok=True)
            (folder / path.name).symlink_to(path)
    (folder / program).unlink()
    return str(folder)


def test_m4a_files_without_ffmpeg_are_an_error_before_stage_1(recipe: Recipe, tmp_path: Path) -> None:
    for number in range(2):
        path = tmp_path / "vox2" / "dev" / "aac" / f"id0001{number}" / "video" / "00001.m4a"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"\0\0\0\x20ftypM4A ")
    command = options(tmp_path, tmp_path / "vox2")
    done = recipe(*command, code=1, env={"PATH": path_without("ffmpeg", tmp_path / "path")})
    assert "2 files need ffmpeg, and there is none on PATH" in done.stderr
    assert "apt-get install ffmpeg" in done.stderr
    assert "stage 1" not in done.stderr
