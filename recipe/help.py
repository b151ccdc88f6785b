"""The text of ./pipeline.sh --help: the stages, and each option with its default for the chosen corpus.

Standard library only.
"""

from __future__ import annotations

import contextlib
import textwrap
import typing
from collections.abc import Iterator, Sequence

from common.errors import InputError
from common.options import describe, range_of, sentence_of
from recipe.command_line import Given, as_given, read_command_line
from recipe.corpus_conf import corpus_file, read_corpus_options
from recipe.options import OPTIONS, PipelineOptions, flag_of
from recipe.stages import STAGES

_USAGE = """Usage: ./pipeline.sh [options]

  ./pipeline.sh                                               the mini corpus, from nothing to a table of results
  ./pipeline.sh --stage 6 --nnet-config conf/nnet/lde3.yaml   another network on the same data
  ./pipeline.sh --corpus folder --train-root T --test-root E  your own audio
  ./pipeline.sh --exp exp/published                           a network of python3 -m nnet.import_checkpoint, which is
                                                              not trained
  ./pipeline.sh --corpus voxceleb --voxceleb1-root A --voxceleb2-root B --musan-root C --rirs-root D
"""
_NOTES = """A stage that is up to date is not run again. Real Kaldi answers if KALDI_ROOT has the commands.
Relative paths are those of the directory you call from. A configuration (--nnet-config, --augment-config, --vad-config,
--test-vad-config, and the files that --nnet-opts or a YAML of yours name) is looked for there first, then in the
checkout, so that conf/... works from anywhere; the files that a YAML of the checkout names are the checkout's.
"""
_WIDTH = 120


def help_text(words: Sequence[str], given: Given) -> str:
    """The help.

    Args:
        words: the command line; its --corpus, --mini-size and --preset choose the defaults.
        given: nothing yet.
    """
    with contextlib.suppress(InputError):  # help is for those whose command line is wrong, too
        read_command_line(words, given)
    chosen = {name: value for name, value in given.values.items() if name in ("corpus", "mini_size", "preset")}
    defaults = Given(given.called_from, given.checkout, chosen)
    with contextlib.suppress(InputError, OSError):
        read_corpus_options(defaults)
    return "\n".join([_USAGE, *_stage_lines(), _NOTES, *_option_lines(defaults)])


def _stage_lines() -> Iterator[str]:
    line = "Stages:"
    for stage in STAGES:
        entry = f" {stage.number} {stage.summary} "
        if not stage.summary:
            continue
        if len(line) + len(entry) > _WIDTH - 20:
            yield line.rstrip()
            line = "       "
        line += entry
    yield line.rstrip()


def _option_lines(defaults: Given) -> Iterator[str]:
    options = defaults.options()
    file = corpus_file(options.corpus, options.mini_size)
    if options.preset is not None:
        file += f" and conf/preset/{options.preset}.conf"
    yield f'Options (--name value or --name=value; "-" is no value), with the defaults of {file}:'
    kinds = typing.get_type_hints(PipelineOptions)
    for name, field in OPTIONS.items():
        value = as_given(getattr(options, name)) or "-"
        if name == "nnet_opts" and defaults.corpus_changes:
            value = " ".join(change.text for change in defaults.corpus_changes)
        yield f"  {flag_of(name)} {value}"
        about = sentence_of(field) + _kind(kinds[name], name)
        yield textwrap.fill(about, _WIDTH, initial_indent="      ", subsequent_indent="      ", break_on_hyphens=False)


def _kind(kind: object, name: str) -> str:
    """What a value must be: " (an integer >= 1)"; "" for any text."""
    words = f"{describe(kind)} {range_of(OPTIONS[name])}".replace(" or null", "").rstrip()
    return "" if words.endswith("a string") else f" ({words})"
