"""Fine-tuning: what is taken of a checkpoint and what is not, by name; what does not fit; and resuming."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from common.errors import InputError
from nnet import train as train_module
from nnet.config.experiment import load as load_config
from nnet.config.experiment import to_mapping
from nnet.model import SpeakerNet, build
from nnet.train import main
from nnet.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from nnet.training.fine_tuning import take_start
from tests.nnet.helpers.refusals import refusal

SPEAKERS = ["s0", "s1", "s2", "s3", "s4", "s5"]


@pytest.fixture
def start(tiny_corpus: Any, tmp_path: Path) -> Path:
    """A checkpoint of random weights for six speakers."""
    config = load_config(tiny_corpus.config)
    torch.manual_seed(7)
    net = build(config, 6)
    mapping = to_mapping(config)
    save_checkpoint(
        tmp_path / "start.pt", Checkpoint(5, net.state_dict(), {}, {}, mapping, SPEAKERS, "", "conf", "float32")
    )
    return tmp_path / "start.pt"


def begin(tiny_corpus: Any, start: Path, speaker_ids: list[str], *settings: str) -> tuple[SpeakerNet, str]:
    config = load_config(tiny_corpus.config, [f"training.start_from={start}", *settings])
    torch.manual_seed(8)
    net = build(config, len(speaker_ids))
    return net, take_start(net, config, speaker_ids, "conf")


def test_all_weights_are_taken_and_reported(tiny_corpus: Any, start: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    net, digest = begin(tiny_corpus, start, SPEAKERS)
    given = load_checkpoint(start).model
    assert all(torch.equal(value, given[name]) for name, value in net.state_dict().items())
    assert len(digest) == 64
    numbers = sum(value.numel() for value in given.values())
    assert f"(step 5, sha256 {digest[:16]}): taken {len(given)} tensors, {numbers} numbers: encoder 35, " in caplog.text
    assert "embedding 2, head 5, loss 1; not taken 0: none" in caplog.text


def test_without_the_loss_its_weights_stay_and_are_named(
    tiny_corpus: Any, start: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    parts = "training.start_from_parts=[encoder, pooling, embedding, head]"
    net, _ = begin(tiny_corpus, start, ["new", *SPEAKERS], parts)
    torch.manual_seed(8)
    fresh = build(load_config(tiny_corpus.config), 7).state_dict()
    given = load_checkpoint(start).model
    for name, value in net.state_dict().items():
        assert torch.equal(value, (fresh if name == "loss_function.weight" else given)[name]), name
    assert "not taken 1: loss_function.weight" in caplog.text


def test_class_weights_follow_their_speakers(tiny_corpus: Any, start: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    net, _ = begin(tiny_corpus, start, ["s4", "s0", "s3"])
    assert torch.equal(
        net.state_dict()["loss_function.weight"], load_checkpoint(start).model["loss_function.weight"][[4, 0, 3]]
    )
    assert f"class weights of 3 of the 6 speakers of {start}" in caplog.text
    net, _ = begin(tiny_corpus, start, SPEAKERS[::-1])  # as many in another order
    assert torch.equal(
        net.state_dict()["loss_function.weight"], load_checkpoint(start).model["loss_function.weight"].flip(0)
    )


def test_all_sub_centres_follow_their_speaker(tiny_corpus: Any, tmp_path: Path) -> None:
    setting = "loss={name: aam, sub_centres: 2}"
    config = load_config(tiny_corpus.config, [setting])
    net = build(config, 6)
    mapping = to_mapping(config)
    save_checkpoint(
        tmp_path / "two.pt", Checkpoint(5, net.state_dict(), {}, {}, mapping, SPEAKERS, "", "conf", "float32")
    )
    given = net.state_dict()["loss_function.weight"]
    taken, _ = begin(tiny_corpus, tmp_path / "two.pt", ["s4", "s0", "s3"], setting)
    assert torch.equal(taken.state_dict()["loss_function.weight"], given[[8, 9, 0, 1, 6, 7]])
    taken, _ = begin(tiny_corpus, tmp_path / "two.pt", SPEAKERS[::-1], setting)  # as many in another order
    assert torch.equal(taken.state_dict()["loss_function.weight"], given[[10, 11, 8, 9, 6, 7, 4, 5, 2, 3, 0, 1]])
    with pytest.raises(InputError, match=r"loss_function.weight is \(12, \d+\), expected \(18, \d+\)"):
        begin(tiny_corpus, tmp_path / "two.pt", SPEAKERS, "loss={name: aam, sub_centres: 3}")


def test_a_new_speaker_has_no_class_weights(tiny_corpus: Any, start: Path) -> None:
    with pytest.raises(InputError) as caught:
        begin(tiny_corpus, start, ["s0", "new", "s2", "newer"])
    message = str(caught.value)
    assert "has no class weights for 2 of the 4 speakers (first: new); start the loss from random weights: " in message
    assert "training.start_from_parts=[encoder, pooling, embedding, head]" in str(caught.value)


def test_a_loss_without_class_weights_takes_any_speakers(tiny_corpus: Any, tmp_path: Path) -> None:
    groups = ("loss={name: ge2e}", "data.balance=groups")
    config = load_config(tiny_corpus.config, groups)
    net = build(config, 6)
    torch.nn.init.constant_(net.loss_function.scale.raw, 3.0)  # type: ignore[union-attr,arg-type]
    mapping = to_mapping(config)
    save_checkpoint(
        tmp_path / "ge2e.pt", Checkpoint(5, net.state_dict(), {}, {}, mapping, SPEAKERS, "", "conf", "float32")
    )
    taken, _ = begin(tiny_corpus, tmp_path / "ge2e.pt", ["new", "newer"], *groups)
    assert float(taken.state_dict()["loss_function.scale.raw"]) == 3.0


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("embedding.dim=7", "tensors: embedding.bias is (6,), expected (7,); embedding.weight is (6, 24), expected"),
        (
            "pooling={name: mean}",
            "in 1 tensors: embedding.weight is (6, 24), expected (6, 12); make the sections",
        ),
        ("loss={name: softmax}", "linear.bias is absent, expected (6,); loss_function.linear.weight is absent, expec"),
        ("features.dim=9", "was trained on fbank of 8 bins, this config has fbank of 9; make the features equal"),
        ("features.type=mfcc", "was trained on fbank of 8 bins, this config has mfcc of 8"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_by_name(
    tiny_corpus: Any, start: Path, setting: str, expected: str
) -> None:
    with pytest.raises(InputError) as caught:
        begin(tiny_corpus, start, SPEAKERS, setting)
    assert expected in str(caught.value)


def test_parts_that_are_not_named_may_differ(tiny_corpus: Any, start: Path) -> None:
    net, _ = begin(tiny_corpus, start, SPEAKERS, "embedding.dim=7", "training.start_from_parts=[encoder]")
    given = load_checkpoint(start).model
    same = {name for name, value in net.state_dict().items() if name in given and torch.equal(value, given[name])}
    assert {name for name in net.state_dict() if name.startswith("encoder.")} <= same
    assert "loss_function.weight" not in same


def test_other_options_of_the_features_are_reported(
    tiny_corpus: Any, start: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = load_config(tiny_corpus.config, [f"training.start_from={start}"])
    take_start(build(config, 6), config, SPEAKERS, "other conf")
    assert f"{start} was trained on features with other options:\nconf" in caplog.text
    caplog.clear()
    take_start(build(config, 6), config, SPEAKERS, "# a comment\nconf # and one here\n")
    assert "other options" not in caplog.text
    assert "features.cmvn" not in caplog.text
    begin(tiny_corpus, start, SPEAKERS, "features.cmvn=false")
    assert f"{start} was trained with features.cmvn true" in caplog.text and "features.vad" not in caplog.text


def test_a_missing_start_is_an_error(tiny_corpus: Any, tmp_path: Path) -> None:
    message = refusal(main, tiny_corpus.command(tmp_path / "exp", f"training.start_from={tmp_path}/absent.pt"))
    assert "absent.pt: no such checkpoint" in message


def test_an_unknown_or_empty_list_of_parts_is_refused(tiny_corpus: Any) -> None:
    for value, expected in (
        ("[encodr]", "choose one of: embedding, encoder"),
        ("[]", "expected one or more of encoder"),
    ):
        with pytest.raises(InputError, match=expected):
            load_config(tiny_corpus.config, [f"training.start_from_parts={value}"])


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    return bool(torch.equal(a, b)) if isinstance(a, torch.Tensor) else a == b


def test_a_fine_tuned_run_resumes_from_its_own_checkpoint_and_knows_its_start(
    tiny_corpus: Any, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = (f"training.start_from={start}", "training.steps=6")
    assert main(tiny_corpus.command(tmp_path / "whole", *settings)) == 0
    real = train_module.timed

    def interrupted_at_3(batches):  # type: ignore[no-untyped-def]
        for batch, waited in real(batches):
            if batch.step == 3:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch, waited

    with monkeypatch.context() as patch:
        patch.setattr(train_module, "timed", interrupted_at_3)
        assert main(tiny_corpus.command(tmp_path / "parts", *settings)) == 128 + signal.SIGTERM
    before = start.read_bytes()
    state = load_checkpoint(start)
    state.step = 6
    save_checkpoint(start, state)  # another file of the same name
    message = refusal(main, tiny_corpus.command(tmp_path / "parts", *settings))
    assert f"was started from another {start} (training.start_from; sha256 " in message
    start.unlink()  # it is not read again
    assert main(tiny_corpus.command(tmp_path / "parts", *settings)) == 0
    whole, parts = (load_checkpoint(tmp_path / name / "last.pt") for name in ("whole", "parts"))
    assert equal(whole.model, parts.model) and equal(whole.optimizer["state"], parts.optimizer["state"])
    assert whole.start_hash == parts.start_hash and whole.step == 6
    start.write_bytes(before)
    assert main(tiny_corpus.command(tmp_path / "parts", *settings)) == 0


def test_the_large_margin_yaml_goes_on_where_the_mini_yaml_ended(
    tiny_corpus: Any, tmp_path: Path, root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    small = [
        *("features.dim=8", "encoder.width=8", "encoder.last_width=12", "embedding.dim=6", "data.batch_size=8"),
        *("training.valid_every=4", "training.precision=float32", "training.log_every=1"),
    ]

    def command(config: str, exp: str, *settings: str) -> list[str]:
        arguments = tiny_corpus.command(tmp_path / exp, *small, *settings)
        arguments[arguments.index("--config") + 1] = str(root / "conf" / "nnet" / config)
        return arguments

    assert main(command("mini.yaml", "mini", "data.chunk_frames=[20, 60]", "training.steps=40")) == 0
    best = tmp_path / "mini" / "best.pt"
    tuned = ("data.chunk_frames=[60, 80]", "training.steps=8", f"training.start_from={best}")
    assert main(command("mini_large_margin.yaml", "tuned", *tuned)) == 0
    state, before = load_checkpoint(tmp_path / "tuned" / "last.pt"), load_checkpoint(best)
    assert state.config["loss"]["margin"] == 0.4 > before.config["loss"]["margin"]
    assert state.step == 8 and set(state.valid_eers) == {4, 8}  # steps and error rates start again
    assert "not taken 0: none" in caplog.text
    # rates of at most 1e-4 over 8 steps of Adam: no weight is further than 8e-4 from where it began
    moved = [(state.model[name] - before.model[name]).abs().max().item() for name in ("embedding.weight",)]
    assert 0 < max(moved) <= 8 * 1e-4


def test_an_imported_network_is_not_overwritten_by_training(tiny_corpus: Any, tmp_path: Path) -> None:
    exp = tmp_path / "exp"
    exp.mkdir()
    for name in ("imported.yaml", "best.pt", "config.yaml"):
        (exp / name).write_text(f"{name} of another\n")
    message = refusal(main, tiny_corpus.command(exp, "training.steps=3"))
    assert f"{exp}: holds an imported network (imported.yaml)" in message
    assert "give another --exp" in message and f"training.start_from={exp}/best.pt" in message
    assert {path.name: path.read_text() for path in exp.iterdir()} == {
        name: f"{name} of another\n" for name in ("imported.yaml", "best.pt", "config.yaml")
    }
