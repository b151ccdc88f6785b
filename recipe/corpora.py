"""What --corpus and its options mean: the name of the data, the test sets, what stage 0 reads and is called with."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from common.errors import InputError
from recipe.command_line import as_given
from recipe.options import PipelineOptions

_ODD_IN_NAME = re.compile(rb"[^\w.-]")  # of bytes: \w has no letters outside ASCII


def plain_name(name: str) -> str:
    """A name of a directory for pipes: an underscore for each byte that is not a letter, a digit or one of . _ -"""
    return _ODD_IN_NAME.sub(b"_", os.fsencode(name)).decode()


@dataclass(frozen=True)
class ChosenCorpus:
    """A corpus.

    Args:
        name: of the data.
        tests: names of the test sets.
        options: "name=value" on which stage 0 depends.
        files: files and trees (`root/**`) that stage 0 reads.
        trees: the trees among them.
        gender_files: files of speakers' genders that are read if they exist.
        prepare: arguments of local/prepare_<corpus>.sh after --data and --nj.
    """

    name: str
    tests: tuple[str, ...]
    options: tuple[str, ...]
    files: tuple[str, ...]
    trees: tuple[str, ...]
    gender_files: tuple[str, ...]
    prepare: tuple[str, ...]


def corpus_of(options: PipelineOptions) -> ChosenCorpus:
    """The corpus that the options choose.

    Raises:
        InputError: its roots are missing.
    """
    return {"mini": _mini, "folder": _folder, "voxceleb": _voxceleb}[options.corpus](options)


def _common(options: PipelineOptions) -> tuple[str, ...]:
    chosen = {
        "--seed": options.seed,
        "--max-loss": options.max_loss,
        "--musan-root": options.musan_root,
        "--rirs-root": options.rirs_root,
    }
    allowed = () if options.allow_leak is None else ("--allow-leak", options.allow_leak)
    return (*(word for flag, value in chosen.items() for word in (flag, as_given(value))), *allowed)


def _leaks(options: PipelineOptions) -> tuple[str, ...]:
    """The option on which stage 0 depends only if it is given: markers of earlier versions do not have it."""
    return () if options.allow_leak is None else (f"allow_leak={options.allow_leak}",)


def _mini(options: PipelineOptions) -> ChosenCorpus:
    size, seed = options.mini_size, as_given(options.mini_seed)
    name = f"mini{'-tiny' if size == 'tiny' else ''}{'' if seed == '-' else f'-seed{seed}'}"
    return ChosenCorpus(
        name=options.name or name,
        tests=("test",),
        options=(f"size={size}", f"seed={seed}", *_leaks(options)),
        files=("conf/mini_corpus.yaml",),
        trees=(),
        gender_files=(),
        prepare=(*_common(options), "--size", size, "--mini-seed", seed),
    )


def _folder(options: PipelineOptions) -> ChosenCorpus:
    train, test = options.train_root, options.test_root
    if train and (options.name is None or options.stage == 0) and not Path(train[0]).is_dir():
        raise InputError(f"--train-root is {train[0]}, which is not a folder; expected <root>/<speaker>/**/<audio>")
    if not train or not test:
        raise InputError("--corpus folder needs --train-root and --test-root")
    parent = Path(os.path.abspath(train[0])).parent  # noqa: PTH100 - a link counts where it is, not where it leads
    name = plain_name(parent.name or "/")
    tests = tuple("test" if number == 0 else _test_name(root) for number, root in enumerate(test))
    trials, genders = as_given(options.trials), as_given(options.spk2gender)
    trees = tuple(f"{root}/**" for root in (*train, *test))
    beside = tuple(f"{root}.spk2gender" for root in (*train, *test))
    roots = tuple(word for root in train for word in ("--train-root", root))
    return ChosenCorpus(
        name=options.name or name,
        tests=tests,
        options=(
            f"train_root={' '.join(train)}", f"test_roots={' '.join(test)}", f"spk2gender={genders}", *_leaks(options)
        ),
        files=(*trees, *(() if trials == "-" else (trials,))),
        trees=trees,
        gender_files=beside if options.spk2gender is None else (options.spk2gender,),
        prepare=(
            *_common(options), *roots, "--trials", trials, "--spk2gender", genders, "--tests", " ".join(tests), *test
        ),
    )  # fmt: skip


def _test_name(root: str) -> str:
    name = Path(root).name
    return name if name.startswith("test") else f"test_{name}"


def _voxceleb(options: PipelineOptions) -> ChosenCorpus:
    roots, trials = (as_given(options.voxceleb1_root), as_given(options.voxceleb2_root)), as_given(options.trials)
    return ChosenCorpus(
        name=options.name or "voxceleb",
        tests=("test",),
        options=(f"voxceleb1={roots[0]}", f"voxceleb2={roots[1]}", f"trials={trials}", *_leaks(options)),
        files=(),
        trees=(),
        gender_files=(),
        prepare=(*_common(options), "--trials", trials, *roots),
    )
