"""check_counts.py: in = out + dropped, with the reasons that the logs give, and a limit on the share that is lost."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from common.errors import InputError
from common.program import Parser
from common.text_lines import BLANKS
from common.whole_files import writing
from minikaldi.data_dir.tables import key_of, numbered_lines, open_text

USAGE = "check_counts.py --what NAME --in TABLE --out TABLE [--reason-log GLOB] [--max-loss SHARE]"
ABOUT = """Says `NAME: 1200 in, 1198 out, 2 dropped (0.17 %)` and writes <out>.dropped, lines `utt_id reason`.
Exit code 1 if more than the share --max-loss is lost, or if <out> has ids that <in> does not have."""

WORD = re.compile(f"[^{BLANKS}\"'(),;]+")


def ordered_keys(table: str) -> dict[str, None]:
    """The first fields in the file's order; a missing or empty file has none."""
    if not Path(table).exists():
        return {}
    return {key_of(line): None for _, line in numbered_lines(table)}


def find_reasons(dropped: Iterable[str], logs: Sequence[str]) -> dict[str, tuple[str, str]]:
    """utt_id -> (what the logs say of it, which log): the first warning or error that names it."""
    missing = set(dropped)
    reasons: dict[str, tuple[str, str]] = {}
    for log in logs:
        with open_text(log) as stream:
            for line in stream:
                if not missing:
                    return reasons
                if "WARNING" not in line and "ERROR" not in line:
                    continue
                for word in WORD.findall(line):
                    utt_id = word if word in missing else word.rstrip(".:")
                    if utt_id in missing:
                        missing.discard(utt_id)
                        reasons[utt_id] = (message_of(line), log)
    return reasons


def message_of(line: str) -> str:
    """A log line without Kaldi's prefix `WARNING (command[5.5]:main():file.cc:12) `."""
    start = re.match(r"(?:WARNING|ERROR) \(", line)
    if not start:
        return line.strip()
    depth = 0
    for position, sign in enumerate(line):
        depth += (sign == "(") - (sign == ")")
        if sign == ")" and depth == 0:
            return line[position + 1 :].lstrip(":").strip()
    return line.strip()


def write_dropped(path: Path, dropped: Sequence[str], reasons: dict[str, tuple[str, str]], where: str) -> None:
    """The list of what was lost; an old one is removed if nothing was."""
    if not dropped:
        path.unlink(missing_ok=True)
        return
    with writing(path) as hidden, open_text(hidden, "w") as stream:
        for utt_id in dropped:
            stream.write(f"{utt_id} {reasons[utt_id][0] if utt_id in reasons else f'no reason found in {where}'}\n")


def check_counts(what: str, table_in: str, table_out: str, reason_log: str, max_loss: float) -> str:
    """Compare the ids of two tables; returns the line to print.

    Raises:
        InputError: nothing went in, ids came out that did not go in, or too many were lost.
    """
    ids_in, ids_out = ordered_keys(table_in), ordered_keys(table_out)
    if not ids_in:
        raise InputError(f"{what}: {table_in} is missing or empty; expected a line per utterance")
    extra = [utt_id for utt_id in ids_out if utt_id not in ids_in]
    if extra:
        raise InputError(
            f"{what}: {table_out} has {len(extra)} ids that {table_in} does not have (first: {extra[0]}); "
            "it is of another run: remove it and run the step again"
        )
    dropped = [utt_id for utt_id in ids_in if utt_id not in ids_out]
    logs = sorted(glob.glob(reason_log)) if reason_log else []  # noqa: PTH207 (a pattern with folders, perhaps absolute)
    reasons = find_reasons(dropped, logs)
    where = reason_log or "no log"
    write_dropped(Path(table_out + ".dropped"), dropped, reasons, where)
    share = len(dropped) / len(ids_in)
    if share > max_loss:
        reason, log = reasons.get(dropped[0], ("no reason found", where))
        allowed = f"at most {100 * max_loss:g} % is allowed{' (--max-loss)' if max_loss else ''}"
        fix = "" if max_loss else f"; fix its source, or take it out of {table_in}"
        raise InputError(
            f"{what}: {len(dropped)} of {len(ids_in)} dropped ({100 * share:.2f} %), {allowed}; "
            f"first: {dropped[0]}, {reason}; see {log} and {table_out}.dropped{fix}"
        )
    return f"{what}: {len(ids_in)} in, {len(ids_out)} out, {len(dropped)} dropped ({100 * share:.2f} %)"


def main(argv: Sequence[str]) -> int:
    """Command line of utils/check_counts.py."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("--what", required=True, help="name of what is counted")
    parser.add_argument("--in", required=True, dest="table_in", help="table whose first fields went in")
    parser.add_argument("--out", required=True, dest="table_out", help="table whose first fields came out")
    parser.add_argument("--reason-log", default="", help="pattern of the logs, e.g. 'exp/log/make_mfcc.*.log'")
    parser.add_argument("--max-loss", type=float, default=0.01, help="share that may be lost (default 0.01)")
    options = parser.parse(argv)
    print(check_counts(options.what, options.table_in, options.table_out, options.reason_log, options.max_loss))
    return 0
