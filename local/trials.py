"""Trial lists in either form, by ids or paths, as Kaldi's `trials` of a data directory; every line is counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from common.errors import InputError
from common.program import log_message
from common.trial_faults import Row, trial_fault
from common.trial_lines import TrialLine, read_trial_lines, trial_line
from common.whole_files import write_files
from local.audio_files import without_extension
from minikaldi.data_dir.tables import read_values


def read_corpus_trials(path: Path) -> list[TrialLine]:
    """Read a trial list in Kaldi's or VoxCeleb's form; odd line ends are reported on stderr.

    Raises:
        InputError: see `common.trial_lines.read_trial_lines`.
    """
    return list(read_trial_lines(path, log_message))


def names_of(paths: Mapping[str, str], other_names: Mapping[str, str] | None = None) -> dict[str, str]:
    """The id of each name that a trial list may use for an utterance.

    Args:
        paths: utt_id -> path relative to the corpus root.
        other_names: path of a link -> the path that is kept of the file.

    Returns:
        The id itself, the path, and the path without extension. An id wins over a path.
    """
    names: dict[str, str] = {}
    for utt_id, path in paths.items():
        names.setdefault(path, utt_id)
        names.setdefault(without_extension(path), utt_id)
    for path, kept in (other_names or {}).items():
        if kept in names:
            names.setdefault(path, names[kept])
            names.setdefault(without_extension(path), names[kept])
    names.update({utt_id: utt_id for utt_id in paths})
    return names


def resolve(
    trials: Sequence[TrialLine], names: Mapping[str, str], source: Path, dropped: Mapping[str, str]
) -> list[Row]:
    """The trials with utterance ids.

    Args:
        trials: the lines of the list.
        names: see `names_of`.
        source: the list, for messages.
        dropped: utterance id -> why it is not in the data directory.

    Raises:
        InputError: utterances that are missing, with the count and the first three lines.
    """
    rows, missing = [], []
    for trial in trials:
        enroll, test = _find(trial.enroll, names), _find(trial.test, names)
        if enroll is None or test is None:
            lost = trial.enroll if enroll is None else trial.test
            missing.append(f"line {trial.number}: {lost}{_why(lost, dropped)}")
        else:
            rows.append(Row(f"line {trial.number}", enroll, test, trial.is_target))
    if missing:
        raise InputError(
            f"{source}: {len(missing)} of {len(trials)} trials name an utterance that is not in the data directory: "
            f"{'; '.join(missing[:3])}; give the corpus root that the list was made for, or fix the list"
        )
    return rows


def _find(name: str, names: Mapping[str, str]) -> str | None:
    """The utterance of a name; a path may begin with `./`, and its extension may differ from the file's."""
    if name in names:
        return names[name]
    path = str(PurePosixPath(name))
    return names.get(path) or names.get(without_extension(path))


def _why(name: str, dropped: Mapping[str, str]) -> str:
    path = str(PurePosixPath(name))
    reasons = (dropped.get(form.replace("/", "-")) for form in (path, without_extension(path)))
    return next((f" (dropped: {reason})" for reason in reasons if reason), "")


def read_distinct_trials(source: Path) -> list[TrialLine]:
    """Read a list in which each trial, by the names as written, must appear once.

    Raises:
        InputError: see `read_corpus_trials`, or a trial appears twice.
    """
    trials = read_corpus_trials(source)
    rows = (Row(f"line {one.number}", one.enroll, one.test, one.is_target) for one in trials)
    _require_no_fault(source, trial_fault(rows, {}))
    return trials


def _require_no_fault(source: Path, fault: str | None) -> None:
    if fault:
        raise InputError(f"{source}: {fault}")


def check_list(
    source: Path,
    utterances: Mapping[str, tuple[str, str]],
    other_names: Mapping[str, str] | None = None,
    dropped: Mapping[str, str] | None = None,
) -> None:
    """Refuse a wrong list before any audio is read.

    Args:
        source: the list.
        utterances: utt_id -> (path relative to the corpus root, spk_id) of all files that may become utterances.
        other_names: see `names_of`.
        dropped: utterance id -> why it is not among them.

    Raises:
        InputError: see `read_corpus_trials` and `resolve`; a label contradicts the speakers, or a trial appears twice.
    """
    names = names_of({utt_id: path for utt_id, (path, _) in utterances.items()}, other_names)
    rows = resolve(read_corpus_trials(source), names, source, dropped or {})
    speaker_of = {utt_id: spk_id for utt_id, (_, spk_id) in utterances.items()}
    _require_no_fault(source, trial_fault(rows, speaker_of, "the folders' speakers"))


def convert_list(
    directory: Path,
    source: Path,
    paths: Mapping[str, str],
    other_names: Mapping[str, str] | None = None,
    speaker_of: Mapping[str, str] | None = None,
) -> None:
    """Write `<directory>/trials` from a list and log the counts.

    Args:
        directory: the data directory of the test set; its table `dropped` explains what is missing.
        source: the list.
        paths: see `names_of`.
        other_names: see `names_of`.
        speaker_of: speaker of each utterance, which the labels must not contradict.

    Raises:
        InputError: see `check_list`.
    """
    table = directory / "dropped"
    dropped = read_values(table) if table.is_file() else {}
    rows = resolve(read_corpus_trials(source), names_of(paths, other_names), source, dropped)
    _require_no_fault(source, trial_fault(rows, speaker_of or {}))
    write_files([(str(directory / "trials"), (trial_line(row.enroll, row.test, row.is_target) for row in rows))])
    targets = sum(row.is_target for row in rows)
    kinds = f"{targets} target, {len(rows) - targets} nontarget"
    log_message(f"{source}: {len(rows)} trials in, {len(rows)} out ({kinds})")
