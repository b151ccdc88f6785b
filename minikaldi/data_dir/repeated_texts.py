"""remove_dup_utts.sh: copy a data directory without the many utterances of the same text ("yes", "uh-huh").

Kaldi draws for each utterance of such a text; here exactly <max-count> stay, evenly spread over the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from common.errors import InputError
from common.program import Parser, log_message, positive_int
from common.text_lines import fields_of
from minikaldi.data_dir.directory import by_utterance, read_utt2spk
from minikaldi.data_dir.lines import blocks, split_keys
from minikaldi.data_dir.subset import write_subset

USAGE = "remove_dup_utts.sh <max-count> <src-dir> <dest-dir>"
ABOUT = """Copy a data directory with at most <max-count> utterances of each text (in the table `text`).
e.g.: remove_dup_utts.sh 10 data/train data/train_nodup"""


def utterances_by_text(path: Path) -> dict[str, list[str]]:
    """Text, its words joined by one blank -> the utterances that have it."""
    utts_of: dict[str, list[str]] = {}
    for _, lines in blocks(path):
        for utt, *text in split_keys(lines):
            words = " ".join(fields_of(text[0])) if text else ""
            if words in utts_of:
                utts_of[words].append(utt)
            else:
                utts_of[words] = [utt]
    return utts_of


def evenly(utts: Sequence[str], most: int) -> list[str]:
    """At most `most` of the utterances, evenly spread."""
    count = min(most, len(utts))
    return [utts[index * len(utts) // count] for index in range(count)]


def main(argv: Sequence[str]) -> int:
    """Command line of utils/data/remove_dup_utts.sh."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("most", metavar="max-count", type=positive_int)
    parser.add_argument("source")
    parser.add_argument("target")
    options = parser.parse(argv)
    source, target = Path(options.source), Path(options.target)
    utt2spk = by_utterance(read_utt2spk(source))
    if not (source / "text").is_file():
        raise InputError(f"{source}/text: no such file; expected lines `utt_id words`")
    by_text = utterances_by_text(source / "text")
    kept = set(chain.from_iterable(evenly(utts, options.most) for utts in by_text.values()))
    subset = {utt: spk for utt, spk in utt2spk.items() if utt in kept}
    write_subset(source, target, subset)
    log_message(f"{len(subset)} utterances of {len(utt2spk)} in {source} are in {target}")
    return 0
