"""Make an experiment of a published checkpoint.

    python3 -m nnet.import_checkpoint [--format wq|rf_gru|rf_convgru|cj|sc|jl] [--heads N] [--pooling mean|last]
        [--loss softmax|asoftmax] [--set section.key=value ...] <checkpoint.pt> <exp-dir>

The system is recognised by the names of its tensors, the architecture by their shapes. No code in the file is run. The
experiment directory gets config.yaml, best.pt, and imported.yaml: where each tensor comes from, what was left out, what
was not trained, and what was assumed because the file does not say it.
./pipeline.sh --exp <exp-dir> scores a corpus with it (docs/explanation/networks.md).
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import torch
import yaml

from common.errors import InputError
from common.program import Parser, run_program
from common.whole_files import write_whole
from nnet.config.experiment import to_mapping, to_yaml
from nnet.config.overrides import add_arguments
from nnet.config.paths import located
from nnet.published import FORMATS
from nnet.published.convert import Imported, convert_checkpoint
from nnet.published.reading import SourceFile, read_source
from nnet.published.table import Choices
from nnet.training.checkpoint import Checkpoint, save_checkpoint
from nnet.training.exp_lock import ExpLock

log = logging.getLogger("import")


def write_experiment(exp: Path, source: SourceFile, imported: Imported) -> None:
    """Write config.yaml, imported.yaml and, last, best.pt.

    Raises:
        InputError: there is an experiment already, or training is running; no option file of the features; or no space.
    """
    taken = [name for name in ("best.pt", "last.pt", "config.yaml") if (exp / name).exists()]
    if taken:
        todo = "give another directory, or remove these files"
        raise InputError(f"{exp}: has {', '.join(taken)} already; {todo}")
    features_conf = _features_conf(imported.config.features.config)
    try:
        exp.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{exp}: cannot be made: {error.strerror or error}") from error
    header = f"# Imported from {source.path.name!r} ({imported.system.source}); see imported.yaml.\n"
    if imported.not_trained:
        header += "# The loss was not trained: neither the file nor best.pt has weights of it.\n"
    header += "# The sections data, optimizer, schedule and training are those of a similar network, not its own.\n"
    with ExpLock(exp, "import"):
        write_whole(exp / "config.yaml", (header + to_yaml(imported.config)).encode(), alone=True)
        write_whole(exp / "imported.yaml", provenance(source, imported).encode(), alone=True)
        save_checkpoint(exp / "best.pt", _checkpoint(source, imported, features_conf))


def provenance(source: SourceFile, imported: Imported) -> str:
    """The text of imported.yaml."""
    content = {
        "file": source.path.name,
        "sha256": source.digest,
        "bytes": source.num_bytes,
        "system": imported.system.name,
        "published": imported.system.source,
        "numbers": sum(tensor.numel() for tensor in imported.tensors.values()),
        "assumed": imported.assumed,
        "not_trained": imported.not_trained,
        "left_out": imported.left_out,
        "notes": list(imported.notes),
        "mapped": {origin: name for name, origin in imported.origins.items()},
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=150)


def _checkpoint(source: SourceFile, imported: Imported, features_conf: str) -> Checkpoint:
    """In the format of training, which cannot go on from it: it has no state of an optimizer."""
    return Checkpoint(
        step=imported.steps,
        model={name: tensor.clone() for name, tensor in imported.tensors.items()},
        optimizer={},
        rng={"cpu": torch.Generator().get_state()},
        config=to_mapping(imported.config),
        speaker_ids=imported.speaker_ids,
        list_digest="",
        features_conf=features_conf,
        precision="float32",
        start_hash=source.digest,
    )


def _features_conf(name: str) -> str:
    """The text of the features' option file, from here or from the checkout."""
    path = located(name)
    if not path.is_file():
        message = f"features.config is {name}, and there is no such file; give one with --set features.config=FILE"
        raise InputError(message)
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text: {error}") from error


def log_import(exp: Path, imported: Imported) -> None:
    """Log what was imported, assumed, changed and left out."""
    numbers = sum(tensor.numel() for tensor in imported.tensors.values())
    log.info(
        "%s: %d tensors, %d numbers, of %s (%s)",
        *(exp, len(imported.tensors), numbers, imported.system.name, imported.system.source),
    )
    other = "set another with --set (--help: --pooling, --heads, --loss)"
    for key, value in imported.assumed.items():
        log.warning("assumed, since the file does not say: %s=%s; %s", key, value, other)
    for key, why in imported.left_out.items():
        log.info("left out %s: %s", key, why)
    for note in imported.notes:
        log.info("changed: %s", note)
    if imported.not_trained:
        log.warning("not in the file, and so not trained: %s", ", ".join(imported.not_trained))


def parse_arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    about = "Make an experiment of a published checkpoint."
    parser = Parser(prog="python3 -m nnet.import_checkpoint", description=about)
    parser.add_argument("--format", choices=FORMATS, help="consider this system alone (default: by its names)")
    parser.add_argument("--heads", type=int, help="attention heads of a transformer, which no tensor's shape shows")
    parser.add_argument("--pooling", choices=["mean", "last"], help="of an LSTM's states (default mean)")
    parser.add_argument("--loss", choices=["softmax", "asoftmax"], help="head of a dictionary network")
    add_arguments(parser, "change the config that is made; may be repeated")
    parser.add_argument("checkpoint", type=Path, help="the published file")
    parser.add_argument("exp", type=Path, help="the experiment directory that is made")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> None:
    """Make the experiment; raises InputError if the file cannot be imported."""
    options = parse_arguments(argv)
    source = read_source(options.checkpoint)
    choices = Choices(options.heads, options.pooling, options.loss)
    imported = convert_checkpoint(source, choices, options.overrides, options.format)
    write_experiment(options.exp, source, imported)
    log_import(options.exp, imported)


if __name__ == "__main__":
    run_program(main, "%(levelname)s (nnet.import_checkpoint) %(message)s")
