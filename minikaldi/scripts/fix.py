"""fix_data_dir.sh: sort every table, drop duplicate lines, keep what all the tables agree on.

An utterance stays where utt2spk, segments, text, feats.scp, utt2lang and its recording's wav.scp line know it, and its
speaker is in spk2gender and cmvn.scp where these are there; vad.scp, utt2dur and the others only follow. Windows line
ends are mended. The old tables are kept in <data>/.backup; where nothing would remain, nothing is touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from minikaldi.scripts.cli import Parser, ScriptError, tell
from minikaldi.scripts.data_dir import KINDS, DirectoryWriter, require_directory, tables_of
from minikaldi.scripts.tables import key_of, open_text

USAGE = 'fix_data_dir.sh [--utt-extra-files "f1 f2"] [--spk-extra-files "f1 f2"] <data-dir>'
ABOUT = "Sort a data directory's tables and keep only what all of them agree on; the old ones go to <data-dir>/.backup."
DECIDING = ("feats.scp", "text", "segments", "utt2lang")  # beside wav.scp, without whose line an utterance cannot stay
EXPECTED = {"utt2spk": "utt_id spk_id", "segments": "utt_id rec_id start end"}


def read_mended(path: Path) -> Iterator[tuple[int, str, str]]:
    """(number, key, line) of the lines that are not blank; CRs at line ends are taken off."""
    with open_text(path) as stream:
        for number, raw in enumerate(stream, start=1):
            line = raw.rstrip("\r\n")
            if line and not line.isspace():
                yield number, key_of(line), line


@dataclass
class Scan:
    """What one pass over a table finds."""

    keys: set[str]
    clean: bool  # sorted, no key twice, no line to be mended
    notes: list[str]  # lines that contradict an earlier one


def scan(path: Path) -> Scan:
    """Read a table's keys, and see whether it is in order.

    Raises:
        ScriptError: utt2spk gives one utterance two speakers; no tool can know which is right.
    """
    keys: set[str] = set()
    last = ""
    with open_text(path) as stream:
        for raw in stream:
            if raw.isspace() or raw[-2:-1] == "\r" or raw[-1] != "\n":
                break
            key = raw.split(None, 1)[0]
            if key <= last:
                break
            keys.add(key)
            last = key
        else:
            return Scan(keys, True, [])
    return _scan_disorder(path)


def _scan_disorder(path: Path) -> Scan:
    seen: dict[str, int] = {}
    notes = []
    for number, key, line in read_mended(path):
        text = hash(line)
        if key not in seen:
            seen[key] = text
        elif seen[key] != text:
            if path.name == "utt2spk":
                raise ScriptError(f'{path}:{number}: "{key}" has another speaker above; remove the line that is wrong')
            notes.append(f'{path}:{number}: "{key}" has another line above, which is kept')
    return Scan(set(seen), False, notes)


def kept_lines(path: Path, keep: set[str]) -> Iterator[str]:
    """The mended lines whose key is to stay, the first of each key."""
    left = set(keep)
    for _, key, line in read_mended(path):
        if key in left:
            left.discard(key)
            yield line


@dataclass
class Selection:
    """The ids that stay, and how many utterances went for which reason."""

    utt: set[str]
    spk: set[str]
    rec: set[str]
    reasons: list[str]

    def of(self, level: str) -> set[str]:
        """Ids of a level "utt", "spk" or "rec"."""
        return {"utt": self.utt, "spk": self.spk, "rec": self.rec}[level]


def select(directory: Path, keys: dict[str, set[str]]) -> Selection:
    """Decide which ids stay. `keys` holds the keys of every table that is there."""
    utt2spk = {key: _second(line, directory / "utt2spk", number) for number, key, line in _utt2spk_lines(directory)}
    utts, reasons = set(utt2spk), []

    def narrow(kept: set[str], why: str) -> set[str]:
        lost = utts - kept
        if lost:
            reasons.append(f"{len(lost)} {why} (first: {min(lost)})")
        return utts & kept

    for name in ("spk2gender", "cmvn.scp"):
        if name in keys:
            utts = narrow({utt for utt in utts if utt2spk[utt] in keys[name]}, f"whose speaker is not in {name}")
    for name in DECIDING:
        if name in keys:
            utts = narrow(keys[name], f"not in {name}")
    utt2rec = {utt: utt for utt in utts}
    if "segments" in keys:
        path = directory / "segments"
        utt2rec = {key: _second(line, path, number) for number, key, line in read_mended(path) if key in utts}
    for name in ("wav.scp", "reco2file_and_channel"):
        if name in keys:
            utts = narrow({utt for utt in utts if utt2rec[utt] in keys[name]}, f"without a recording in {name}")
    return Selection(utts, {utt2spk[utt] for utt in utts}, {utt2rec[utt] for utt in utts}, reasons)


def _utt2spk_lines(directory: Path) -> Iterator[tuple[int, str, str]]:
    seen = set()
    for number, key, line in read_mended(directory / "utt2spk"):
        if key not in seen:
            seen.add(key)
            yield number, key, line


def _second(line: str, path: Path, number: int) -> str:
    fields = line.split(None, 2)
    if len(fields) < 2 or (path.name == "utt2spk" and len(fields) > 2):
        raise ScriptError(f'{path}:{number}: found "{line}", expected `{EXPECTED[path.name]}`')
    return fields[1]


def check_speaker_order(directory: Path, utt2spk: dict[str, str]) -> None:
    """Refuse speakers that are not sorted where their utterances are; sorting cannot mend it.

    Raises:
        ScriptError: names the two utterances.
    """
    last_utt = last_spk = ""
    for utt_id in sorted(utt2spk):
        if utt2spk[utt_id] < last_spk:
            raise ScriptError(
                f'{directory}/utt2spk: "{utt_id}" of "{utt2spk[utt_id]}" sorts after "{last_utt}" of "{last_spk}": '
                "sorted by utterance (LC_ALL=C), the speakers are not sorted. Make each speaker id the prefix of its "
                "utterance ids, <spk>-<utt>; if one speaker id is the beginning of another's, make all of one length"
            )
        last_utt, last_spk = utt_id, utt2spk[utt_id]


def fix(directory: Path, utt_extra: Sequence[str] = (), spk_extra: Sequence[str] = ()) -> list[str]:
    """Mend a data directory in place; returns what there is to say.

    Raises:
        ScriptError: nothing would remain, or what no tool can mend. The directory is then as it was.
    """
    require_directory(directory)
    names = tables_of(directory, [*utt_extra, *spk_extra])
    scanned = {name: scan(directory / name) for name in names if name != "spk2utt"}
    keep = select(directory, {name: found.keys for name, found in scanned.items()})
    total = len(scanned["utt2spk"].keys)
    if not keep.utt:
        raise ScriptError(
            f"{directory}: no utterance of {total} would remain: {'; '.join(keep.reasons)}; nothing was changed"
        )
    utt2spk = {key: line.split()[1] for _, key, line in _utt2spk_lines(directory) if key in keep.utt}
    check_speaker_order(directory, utt2spk)
    with DirectoryWriter(directory, backup=True) as writer:
        writer.write_speakers(utt2spk)
        for name in names:
            if name not in ("utt2spk", "spk2utt"):
                level = KINDS[name].level if name in KINDS else ("spk" if name in spk_extra else "utt")
                if not (scanned[name].clean and scanned[name].keys <= keep.of(level)):
                    writer.write(name, kept_lines(directory / name, keep.of(level)))
    notes = [note for found in scanned.values() for note in found.notes]
    if len(keep.utt) == total:
        return [*notes, f"kept all {total} utterances."]
    return [*notes, f"kept {len(keep.utt)} utterances out of {total}: dropped {'; '.join(keep.reasons)}"]


def main(argv: Sequence[str]) -> int:
    """Command line of utils/fix_data_dir.sh."""
    parser = Parser(USAGE, ABOUT)
    parser.add_argument("data")
    parser.add_argument("--utt-extra-files", default="", help="other tables whose keys are utterances")
    parser.add_argument("--spk-extra-files", default="", help="other tables whose keys are speakers")
    options = parser.parse(argv)
    directory = Path(options.data)
    notes = fix(directory, options.utt_extra_files.split(), options.spk_extra_files.split())
    for note in notes:
        tell(note)
    return 0
