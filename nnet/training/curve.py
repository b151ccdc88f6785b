"""What a training run reports: the learning curve in a file, and lines in the log."""

from __future__ import annotations

import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from common.progress import format_seconds
from common.whole_files import append_line, write_whole

_STEP = re.compile(r"[0-9]{1,15}\t")
SILENCE = 10.0  # seconds after which people ask whether it runs
CURVE_HEADER = "step\tloss\taccuracy\tlr\tvalid_eer\tseconds\tchunks_per_second\tdata_wait"


@dataclass
class Meter:
    """Sums over the batches since the last line of the curve; kept in the checkpoint, so that a resumed curve is equal.

    A loss makes decisions over a batch: a classification one for each chunk, given triplets one for three.

    Attributes:
        loss: sum over chunks.
        correct: decisions that were right without margin.
        decisions: number of decisions.
        chunks: number of chunks.
    """

    loss: float = 0.0
    correct: float = 0.0
    decisions: float = 0.0
    chunks: float = 0.0

    @classmethod
    def from_dict(cls, values: dict[str, float]) -> Meter:
        """From a checkpoint; older ones count only decisions, and call them chunks."""
        return cls(**{"decisions": values.get("chunks", 0.0), **values})

    def add(self, loss: float, correct: int, decisions: int, chunks: int) -> None:
        """Count a batch with this mean loss."""
        self.loss += loss * chunks
        self.correct += correct
        self.decisions += decisions
        self.chunks += chunks

    @property
    def mean_loss(self) -> float:
        """The mean over chunks, at least one."""
        return self.loss / self.chunks

    @property
    def accuracy(self) -> float | None:
        """The share of decisions that were right; None if there were none."""
        return self.correct / self.decisions if self.decisions else None

    def as_dict(self) -> dict[str, float]:
        """For the checkpoint."""
        return asdict(self)


class Curve:
    """curve.tsv: one line for each logged or validated step. Raises InputError if it cannot be written.

    Args:
        path: the file.
        step: lines after this step are removed: they are from a run that was interrupted later than its checkpoint.
    """

    def __init__(self, path: Path, step: int) -> None:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if step and path.is_file() else []
        # A line that was cut when the machine stopped has no step, or is of a later one.
        kept = [line for line in lines[1:] if _STEP.match(line) and int(line.split("\t", 1)[0]) <= step]
        write_whole(path, "".join(f"{line}\n" for line in [CURVE_HEADER, *kept]).encode(), alone=True)
        self._path = path

    def add(self, step: int, meter: Meter, lr: float, eer: float | None, pace: Pace) -> None:
        """Append a line; it is on disk when this returns.

        The accuracy is empty if no decision was made, the EER if none was computed. The last three columns are times,
        which differ from run to run.
        """
        accuracy, shown = ("" if share is None else f"{share:.6f}" for share in (meter.accuracy, eer))
        times = f"{pace.seconds:.1f}\t{pace.chunks_per_second:.1f}\t{pace.data_wait:.3f}"
        append_line(self._path, f"{step}\t{meter.mean_loss:.6f}\t{accuracy}\t{lr:.8g}\t{shown}\t{times}")


@dataclass(frozen=True)
class Pace:
    """The pace of the steps since the last line.

    Attributes:
        seconds: time of the whole run.
        chunks_per_second: chunks trained on.
        data_wait: share of the time that training waited for batches.
        made_per_second: chunks that one loader process makes in a second of its work.
    """

    seconds: float
    chunks_per_second: float
    data_wait: float
    made_per_second: float


class Stopwatch:
    """Where the time of a run goes.

    Args:
        step: steps done before this session.
        steps: steps in all.
        seconds: time of the sessions before.
    """

    def __init__(self, step: int, steps: int, seconds: float) -> None:
        self._first, self._steps, self._before = step, steps, seconds
        self._begin = self._lap = time.monotonic()
        self._waited = self._making = 0.0
        self._chunks = 0
        self._shown_at: float | None = self._begin  # when a line was last shown, until the first lap

    @property
    def seconds(self) -> float:
        """Time of all sessions."""
        return self._before + time.monotonic() - self._begin

    def count(self, waited: float, chunks: int, making: float) -> None:
        """Count a batch that took `waited` seconds to arrive, and its loader `making` seconds to make."""
        self._waited += waited
        self._making += making
        self._chunks += chunks

    def lap(self) -> Pace:
        """The pace since the last lap; begins a new one."""
        now = time.monotonic()
        seconds = max(now - self._lap, 1e-9)
        made = self._chunks / max(self._making, 1e-9)
        pace = Pace(self.seconds, self._chunks / seconds, self._waited / seconds, made)
        self._lap, self._waited, self._making, self._chunks = now, 0.0, 0.0, 0
        self._shown_at = None
        return pace

    def early_line(self, step: int) -> str | None:
        """`step 3/2000 left 25:10`, each ten seconds until the first lap, which may take long; else None."""
        now = time.monotonic()
        if self._shown_at is None or now - self._shown_at < SILENCE:
            return None
        self._shown_at = now
        return f"step {step}/{self._steps} left {self._left(step)}"

    def _left(self, step: int) -> str:
        return format_seconds((time.monotonic() - self._begin) / (step - self._first) * (self._steps - step))

    def line(self, step: int, meter: Meter, lr: float, pace: Pace) -> str:
        """`step 300/2000 loss 2.31 acc 61 % lr 1e-3 412 chunks/s data wait 2 % (a loader makes 950/s) left 3:10`."""
        accuracy = "-" if meter.accuracy is None else f"{100 * meter.accuracy:.0f} %"
        return (
            f"step {step}/{self._steps} loss {meter.mean_loss:.3g} acc {accuracy} lr {lr:.2e}"
            f" {pace.chunks_per_second:.0f} chunks/s data wait {100 * pace.data_wait:.0f} %"
            f" (a loader makes {pace.made_per_second:.0f}/s) left {self._left(step)}"
        )
