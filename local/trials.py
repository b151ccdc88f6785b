"""Trial lists of any usual form as Kaldi's `enroll test target|nontarget`, each line accounted for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from common.errors import InputError
from common.program import log_message
from common.text_lines import numbered_fields
from common.trial_faults import Row, trial_fault
from common.trial_forms import EITHER_FORM, NUM_FIELDS, TrialForm, form_of
from local.audio_files import without_extension
from minikaldi.data_dir.tables import open_text, read_values


@dataclass(frozen=True)
class Trial:
    """One line of a list: the two names as written there, the label in Kaldi's words, the line's number."""

    enroll: str
    test: str
    label: str
    line: int


def read_trials(path: Path) -> list[Trial]:
    """Read lines `1|0 a b` or `a b target|nontarget`, all in the form of the first.

    Raises:
        InputError: a line of another form, UTF-16, or a list without a trial.
    """
    trials: list[Trial] = []
    form: TrialForm | None = None
    for number, fields in numbered_fields(path, InputError, log_message):
        form = form or (form_of(fields) if len(fields) == NUM_FIELDS else None)
        parsed = form.parse(fields) if form else None
        if parsed is None:
            expected = form.example if form else EITHER_FORM
            raise InputError(f'{path}:{number}: found "{" ".join(fields)}", expected {expected}')
        enroll, test, is_target = parsed
        trials.append(Trial(enroll, test, "target" if is_target else "nontarget", number))
    if not trials:
        raise InputError(f"{path}: has no trial")
    return trials


def names_of(paths: Mapping[str, str], other_names: Mapping[str, str] | None = None) -> dict[str, str]:
    """Every name by which a trial list may call an utterance -> its id.

    Args:
        paths: utt_id -> path relative to the corpus root.
        other_names: paths of links -> the path that is kept of the file.

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


def resolve(trials: Sequence[Trial], names: Mapping[str, str], source: Path, dropped: Mapping[str, str]) -> list[Row]:
    """The trials with utterance ids.

    Args:
        names: see `names_of`.
        dropped: utterance id -> why it is not in the data directory.

    Raises:
        InputError: utterances that are not there, with the count and the first three lines.
    """
    rows, missing = [], []
    for trial in trials:
        enroll, test = _find(trial.enroll, names), _find(trial.test, names)
        if enroll is None or test is None:
            lost = trial.enroll if enroll is None else trial.test
            missing.append(f"line {trial.line}: {lost}{_why(lost, dropped)}")
        else:
            rows.append(Row(f"line {trial.line}", enroll, test, trial.label == "target"))
    if missing:
        raise InputError(
            f"{source}: {len(missing)} of {len(trials)} trials name an utterance that is not in the data directory: "
            f"{'; '.join(missing[:3])}; give the corpus root that the list was made for, or mend the list"
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


def check_repeats(source: Path) -> None:
    """Refuse a list that has a trial twice, by the names as they are written.

    Raises:
        InputError: see `read_trials`, or there is such a trial.
    """
    trials = read_trials(source)
    fault = trial_fault((Row(f"line {one.line}", one.enroll, one.test, one.label == "target") for one in trials), {})
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
        InputError: see `read_trials`, `resolve`; or a label contradicts the speakers, or a trial is there twice.
    """
    names = names_of({utt_id: path for utt_id, (path, _) in utterances.items()}, other_names)
    rows = resolve(read_trials(source), names, source, dropped or {})
    fault = trial_fault(rows, {utt_id: spk_id for utt_id, (_, spk_id) in utterances.items()}, "the folders' speakers")
    if fault:
        raise InputError(f"{source}: {fault}")


def write_trials(
    directory: Path,
    source: Path,
    paths: Mapping[str, str],
    other_names: Mapping[str, str] | None = None,
    speaker_of: Mapping[str, str] | None = None,
) -> None:
    """Write `<directory>/trials` from a list, and say the counts.

    Args:
        directory: the data directory of the test set; its table `dropped` explains what is missing.
        paths, other_names: see `names_of`.
        speaker_of: speaker of each utterance, which the labels must not contradict.

    Raises:
        InputError: see `check_list`.
    """
    table = directory / "dropped"
    dropped = read_values(table) if table.is_file() else {}
    rows = resolve(read_trials(source), names_of(paths, other_names), source, dropped)
    fault = trial_fault(rows, speaker_of or {})
    if fault:
        raise InputError(f"{source}: {fault}")
    lines = [f"{row.enroll} {row.test} {'target' if row.is_target else 'nontarget'}" for row in rows]
    partial = directory / ".trials.partial"
    with open_text(partial, "w") as stream:
        stream.writelines(f"{line}\n" for line in lines)
    partial.replace(directory / "trials")
    targets = sum(line.endswith(" target") for line in lines)
    kinds = f"{targets} target, {len(lines) - targets} nontarget"
    log_message(f"{source}: {len(lines)} trials in, {len(lines)} out ({kinds})")
