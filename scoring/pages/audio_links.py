"""Links from the page to the audio of an utterance."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from common.text_lines import fields_of
from minikaldi.data_dir.tables import read_values


@dataclass(frozen=True)
class AudioLink:
    """An utterance and where its audio is.

    Attributes:
        utt_id: the utterance.
        href: URL relative to the page; "" if there is no file to link to.
        note: why there is none.
    """

    utt_id: str
    href: str = ""
    note: str = ""


class AudioLinks:
    """Links to the audio of a data directory.

    Args:
        data_dir: with wav.scp, and segments if the utterances are parts of recordings.
        page_dir: the folder of the page.
    """

    def __init__(self, data_dir: Path, page_dir: Path) -> None:
        self._page_dir = page_dir
        self._audio = read_values(data_dir / "wav.scp") if (data_dir / "wav.scp").is_file() else {}
        self._segments = read_values(data_dir / "segments") if (data_dir / "segments").is_file() else {}

    def of(self, utt_id: str) -> AudioLink:
        """The link of an utterance; within a recording it has the times (a media fragment)."""
        recording, times = utt_id, ""
        if utt_id in self._segments:
            recording, start, end, *_ = [*fields_of(self._segments[utt_id]), "", ""]
            times = f"#t={quote(start)},{quote(end)}"
        source = self._audio.get(recording)
        if source is None:
            return AudioLink(utt_id, note="no audio in wav.scp")
        if source.endswith("|"):
            return AudioLink(utt_id, note="audio comes from a command")
        if not Path(source).is_file():
            return AudioLink(utt_id, note="audio file is not there now")
        relative = os.path.relpath(Path(source).resolve(), self._page_dir.resolve())
        return AudioLink(utt_id, quote(os.fsencode(relative)) + times)
