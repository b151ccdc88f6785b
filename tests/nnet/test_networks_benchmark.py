"""benchmarks/networks.py: what it counts, how it shortens a run, and its table; never how fast anything is."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from benchmarks.network_cases.count import frame_rate, macs, macs_per_second, parameters
from benchmarks.network_cases.mini import MiniResult, collect, command
from benchmarks.network_cases.steps import StepTime, batch_labels, time_step
from benchmarks.network_cases.table import Figures, Report, figures_from, thousands
from common.errors import InputError
from nnet.config.experiment import Config, load
from nnet.config.shortening import smaller_batch
from nnet.model import SpeakerNet, build

SPEAKERS = 60


def made(root: Path, name: str, *settings: str) -> tuple[Config, SpeakerNet]:
    config = load(root / "conf" / "nnet" / f"{name}.yaml", settings)
    return config, build(config, SPEAKERS)


def counted(root: Path, name: str, frames: int, *settings: str) -> int:
    return macs(made(root, name, *settings)[1], frames)


def test_products_of_the_xvector_are_those_of_its_layers(root: Path) -> None:
    # Frames that a layer gives of 300, and products for each: kernel x inputs x outputs.
    layers = [(296, 5 * 30 * 512), (292, 3 * 512 * 512), (286, 3 * 512 * 512), (286, 512 * 512), (286, 512 * 1500)]
    by_hand = sum(frames * products for frames, products in layers) + 3000 * 512
    config, net = made(root, "xvector")
    assert macs(net, 300) == by_hand
    assert frame_rate(config.features) == 100.0
    assert macs_per_second(net, 100.0, 3.0) == by_hand / 3
    assert round(sum(frames * products for frames, products in layers) / 3e6) == 257  # without the embedding layer


def test_products_of_a_gru_are_those_of_its_three_gates(root: Path) -> None:
    settings = ("encoder.layers=2", "encoder.width=16", "embedding.dim=8")
    gates = 3 * 16 * (80 + 16) + 3 * 16 * (16 + 16)  # the first layer sees 80 mels
    assert counted(root, "gru_ge2e", 50, *settings) == 50 * gates + 16 * 8


def test_products_of_an_lstm_in_both_directions_are_those_of_its_four_gates(root: Path) -> None:
    gates = 2 * 4 * 8 * (40 + 8) + 2 * 4 * 8 * (16 + 8)  # the second layer sees both directions of the first
    assert counted(root, "bilstm_triplet", 30, "encoder.layers=2", "encoder.width=8") == 30 * gates


def test_products_of_a_transformer_grow_with_the_square_of_the_frames(root: Path) -> None:
    width, inner, layers = 16, 32, 2
    settings = ("encoder.width=16", "encoder.feed_forward=32", "encoder.layers=2", "encoder.heads=4")
    frames = 20
    of_frame = 80 * width + layers * (4 * width * width + 2 * width * inner)  # prenet; queries, keys, values, output
    of_pairs = layers * 2 * width  # scores, and the sums of values by them
    by_hand = frames * of_frame + frames * frames * of_pairs + width * 256
    assert counted(root, "transformer_ge2e", frames, *settings) == by_hand


def test_products_of_a_dictionary_are_counted(root: Path) -> None:
    settings = ("encoder={name: tdnn, width: 8, last_width: 16}", "embedding.dim=null")
    frames = 40
    encoder = 36 * 5 * 30 * 8 + 32 * 3 * 8 * 8 + 26 * (3 * 8 * 8 + 8 * 8 + 8 * 16)
    distances_and_sums = 2 * 26 * 16 * 32  # 26 frames of 16 channels, 32 entries
    assert counted(root, "lde1", frames, *settings) == encoder + distances_and_sums


def test_an_operation_that_the_counter_cannot_see_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, net = made(root, "bilstm_triplet", "encoder.layers=1", "encoder.width=8")
    monkeypatch.setattr(torch.backends.mkldnn, "flags", lambda enabled: torch.enable_grad())
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this build of torch has no LSTM in one operation")
    with pytest.raises(RuntimeError, match="holds products that the counter cannot see"):
        macs(net, 10)


@pytest.mark.parametrize(
    ("name", "rate"),
    [("xvector", 100), ("ecapa", 100), ("convgru_ge2e", 100), ("gru_ge2e", 22050 / 256), ("bilstm_triplet", 31.25)],
)
def test_frames_per_second_are_those_of_the_features(root: Path, name: str, rate: float) -> None:
    assert frame_rate(load(root / "conf" / "nnet" / f"{name}.yaml").features) == rate


def test_parameters_of_the_parts_are_all_there_are(root: Path) -> None:
    _, net = made(root, "bilstm_triplet")
    assert parameters(net) == {"encoder": 252928, "pooling": 0, "embedding": 0, "head_and_loss": 0}  # as published
    _, net = made(root, "mini")
    counts = parameters(net)
    assert sum(counts.values()) == sum(parameter.numel() for parameter in net.parameters())
    assert counts["embedding"] == 2 * 576 * 128 + 128
    assert counts["head_and_loss"] == 2 * 128 + SPEAKERS * 128  # scale and shift of the norm, and the class weights


def test_labels_are_laid_out_as_the_loss_needs_them(root: Path) -> None:
    groups = load(root / "conf" / "nnet" / "gru_ge2e.yaml").data
    assert batch_labels(groups, 12, 60).tolist() == [0] * 4 + [1] * 4 + [2] * 4
    triplets = batch_labels(load(root / "conf" / "nnet" / "bilstm_triplet.yaml").data, 96, 5).reshape(32, 3)
    assert torch.equal(triplets[:, 0], triplets[:, 1]) and not (triplets[:, 0] == triplets[:, 2]).any()
    assert batch_labels(load(root / "conf" / "nnet" / "mini.yaml").data, 5, 3).tolist() == [0, 1, 2, 0, 1]
    with pytest.raises(InputError, match="a batch of groups holds 16 speakers, and there are 15"):
        batch_labels(groups, 64, 15)


@pytest.mark.parametrize("name", ["mini", "gru_ge2e", "bilstm_triplet"])
def test_a_step_of_a_small_network_is_timed_and_scaled_to_its_batch(root: Path, name: str) -> None:
    settings = ["encoder.width=8", "data.chunk_frames=[20, 30]", "training.precision=float32"]
    config, net = made(root, name, *settings)
    before = [parameter.detach().clone() for parameter in net.parameters()]
    step = time_step(net, config, SPEAKERS, 1, max_seconds=1e-6)
    assert step.scaled and step.rows == smaller_batch(config.data, 0) and step.batch == config.data.batch_size
    assert step.wall > 0 and step.frames == 25 and step.precision == "float32"
    assert any(not torch.equal(old, new) for old, new in zip(before, net.parameters(), strict=True))
    assert not time_step(net, config, SPEAKERS, 1, max_seconds=600).scaled


def test_the_command_is_the_recipe_with_a_limit_of_steps(root: Path) -> None:
    words = command(root / "conf" / "nnet" / "gru_ge2e.yaml", Path("exp/x"), 2000, ["--mini-size", "tiny"])
    yaml = ["--nnet-config", "conf/nnet/gru_ge2e.yaml"]
    assert words == ["./pipeline.sh", *yaml, "--exp", "exp/x", "--max-steps", "2000", "--mini-size", "tiny"]


def finished_run(root: Path, exp: Path) -> None:
    exp.mkdir()
    rows = [("a", "PLDA", 0.09), ("a", "cosine", 0.07), ("MFCC", "PLDA", 0.10), ("MFCC", "cosine", 0.3)]
    results = [{"name": n, "back_end": b, "eer": {"value": v, "low": v - 0.01, "high": v + 0.02}} for n, b, v in rows]
    (exp / "results.json").write_text(json.dumps({"test_sets": {"test": {"results": results}}}))
    (exp / "curve.tsv").write_text("step\tloss\tseconds\n20\t1.0\t7.5\n1200\t0.1\t90.0\n")
    (exp / "config.yaml").write_text((root / "conf" / "nnet" / "mini.yaml").read_text())


def test_the_best_back_end_of_a_run_is_taken(root: Path, tmp_path: Path) -> None:
    finished_run(root, tmp_path / "a")
    low, high = pytest.approx(0.06), pytest.approx(0.09)
    expected = MiniResult(0.07, low, high, "cosine", 0.10, 1200, 32, [100, 200], 90.0, ["training.steps=1200"])
    assert collect(tmp_path / "a", ["training.steps=1200"]) == expected
    (tmp_path / "a").rename(tmp_path / "b")
    with pytest.raises(InputError, match=r"results.json: no results of b"):
        collect(tmp_path / "b", [])


def test_a_finished_network_is_passed_over_until_something_changes(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))  # the program puts the checkout in front
    from benchmarks import networks_mini

    runs: list[list[str]] = []

    def run(words: list[str]) -> int:
        runs.append(words)
        if len(runs) == 1:
            return 3
        finished_run(root, tmp_path / "exp" / "a")
        return 0

    monkeypatch.setattr(networks_mini, "run", run)
    path, results = tmp_path / "a.yaml", tmp_path / "mini.json"
    path.write_text((root / "conf" / "nnet" / "mini.yaml").read_text())
    settings = {"steps": 600, "exp": tmp_path / "exp", "json": results, "dry_run": False, "pipeline": []}
    given = argparse.Namespace(**settings)
    (tmp_path / "exp").mkdir()
    assert networks_mini.one(path, given, {}) == 3 and not results.exists()  # it failed: nothing is written down
    for _ in range(2):
        assert networks_mini.one(path, given, networks_mini.read_results(results)) == 0
    assert len(runs) == 2
    assert networks_mini.read_results(results)["a"]["back_end"] == "cosine"
    path.write_text(path.read_text() + "# changed\n")
    shutil.rmtree(tmp_path / "exp" / "a")
    assert networks_mini.one(path, given, networks_mini.read_results(results)) == 0 and len(runs) == 3


@pytest.mark.slow
def test_an_interruption_reaches_the_recipe_which_ends_before_the_program(root: Path, tmp_path: Path) -> None:
    recipe = f"trap 'sleep 0.2; touch {tmp_path}/saved; exit 143' TERM; touch {tmp_path}/begun; sleep 60 & wait"
    code = f"from benchmarks.network_cases.mini import run; run(['bash', '-c', {recipe!r}])"
    with subprocess.Popen([sys.executable, "-c", code], cwd=root, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not (tmp_path / "begun").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) != 0
    assert (tmp_path / "saved").exists()


COUNTS = {"encoder": 2_690_452, "pooling": 0, "embedding": 148_000, "head_and_loss": 1}
STEP = StepTime(wall=1.234, cpu=2.0, rows=16, batch=64, frames=200, precision="bf16", steps=5)
MACHINE = {"processor": "P", "cores": "2", "memory": "24 GB", "python": "3.11", "torch": "2.13", "date": "2026-01-01"}


def test_table_shows_what_was_measured_and_leaves_out_what_was_not() -> None:
    figures = [
        Figures("a", "fbank 30", 100.0, "tdnn, statistics, aam", COUNTS, 257.3e6, STEP),
        Figures("b", "logmel 80", 86.1, "gru, last, ge2e", COUNTS, 1e6),
    ]
    result = {"eer": 0.0712, "low": 0.06, "high": 0.08, "back_end": "PLDA", "baseline": 0.1009}
    result |= {"steps": 1200, "batch": 32, "chunk_frames": [100, 300], "seconds": 90.0}
    result["changes"] = ["training.steps=600", "schedule.base_steps=4"]
    report = Report("cmd", MACHINE, 1, 5, 60, 3.0, figures, {"a": result})
    text = report.markdown()
    line = "| a | fbank 30 | tdnn, statistics, aam | 2,690 | 148 | 0.001 | 257 | 64 × 200, 128 s | ≈ 1.23 bf16 | ≈ 2 |"
    assert f"{line} 7.12 | PLDA |" in text  # no column of poolings, which learn nothing here
    assert "| b | logmel 80 | gru, last, ge2e | 2,690 | 148 | 0.001 | 1 |  |  |  |  |  |" in text
    assert "| a | 7.12 [6.00, 8.00] | PLDA | 1,200 | 32 × 100–300 | 1.5 | schedule.base_steps=4 |" in text
    assert "has 10.09 %" in text and "one thread, median of 5" in text
    only_counted = Report("cmd", MACHINE, 1, 0, 60, 3.0, figures[1:]).markdown()
    assert "step, s" not in only_counted and "A step is" not in only_counted and "mini" not in only_counted


def test_figures_survive_json() -> None:
    figures = Figures("a", "fbank 30", 100.0, "x", COUNTS, 1.5, STEP)
    mapping = json.loads(json.dumps(Report("c", MACHINE, 1, 5, 60, 3.0, [figures]).as_json()))
    assert figures_from(mapping["networks"][0]) == figures
    assert [thousands(count) for count in (0, 1, 440, 9900, 5_324_640)] == ["", "0.001", "0.44", "9.9", "5,325"]


def bench(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "benchmarks" / "networks.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_program_measures_writes_and_reads_its_figures_again(root: Path, tmp_path: Path) -> None:
    doc, figures = tmp_path / "doc.md", tmp_path / "f.json"
    doc.write_text("a\n<!-- begin: figures -->\nold\n<!-- end: figures -->\nb\n")
    config = f"{root}/conf/nnet/bilstm_triplet.yaml"
    done = bench(root, "--config", config, "--steps", "1", "--max-seconds", "0.01", "--json", f"{figures}")
    assert done.returncode == 0, done.stderr
    assert json.loads(figures.read_text())["networks"][0]["parameters"]["encoder"] == 252928
    done = bench(root, "--from", f"{figures}", "--update", f"{doc}")
    assert done.returncode == 0, done.stderr
    assert "| bilstm_triplet | librosa_mfcc 40 |" in doc.read_text() and "old" not in doc.read_text()
    done = bench(root, "--config", f"{tmp_path}/none.yaml")
    assert done.returncode == 1 and "none.yaml" in done.stderr
