"""Lists of room impulse responses and of noises, as reverberate_data_dir.py reads them, and draws from them.

A line is options, then a file or a pipe: `--rir-id r1 --room-id A wav/r1.wav`.
"""

from __future__ import annotations

import bisect
import itertools
import math
import random
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from common.errors import InputError
from common.program import log_message
from common.text_lines import filled_lines, head_and_rest, number_of, trimmed
from minikaldi.data_dir.wav_lines import mono_at_rate, without_quotes

Item = TypeVar("Item")
RIR_OPTIONS = (
    "rir-id", "room-id", "receiver-position-id", "source-position-id", "rt60", "drr", "cte", "probability",
)  # fmt: skip
NOISE_OPTIONS = ("noise-id", "noise-type", "bg-fg-type", "room-linkage", "probability")


@dataclass(frozen=True)
class Rir:
    """An impulse response of a room."""

    rir_id: str
    room_id: str
    audio: str


@dataclass(frozen=True)
class ListedNoise:
    """A noise: from everywhere (isotropic) in a certain room, or from a point, to be heard in any."""

    noise_id: str
    isotropic: bool
    background: bool  # as long as the speech; a foreground noise stands at a random place of it
    room_id: str
    audio: str


class WeightedItems(Generic[Item]):
    """Items with probabilities, to be drawn from."""

    def __init__(self, items: Sequence[tuple[Item, float]]) -> None:
        self.items = [item for item, _ in items]
        self._sums = list(itertools.accumulate(probability for _, probability in items))

    def draw(self, rng: random.Random) -> Item:
        """An item, by probability."""
        place = bisect.bisect_right(self._sums, rng.random() * self._sums[-1])
        return self.items[min(place, len(self.items) - 1)]


def read_list_line(path: Path, number: int, line: str, known: Sequence[str]) -> tuple[dict[str, str], str]:
    """The options of a list's line, and the file or pipe behind them.

    Raises:
        InputError: an option is unknown or has no value, a probability is none, or nothing stands behind them.
    """
    options: dict[str, str] = {}
    rest = trimmed(line)
    while rest.startswith("--"):
        name, rest = head_and_rest(rest)
        name, equals, value = name[2:].partition("=")
        if not equals:
            value, rest = head_and_rest(rest)
        if name not in known:
            raise InputError(f"{path}:{number}: --{name} is unknown; choose from: {', '.join(known)}")
        options[name] = value
    if "probability" in options and not 0 <= number_of(options["probability"]) <= 1:
        raise InputError(f"{path}:{number}: --probability is {options['probability']}, expected a number from 0 to 1")
    if not rest or not all(options.values()):
        raise InputError(f'{path}:{number}: found "{line}", expected `--{known[0]} <id> … <file or pipe>`')
    return options, _unquoted(rest, f"{path}:{number}")


def _unquoted(audio: str, where: str) -> str:
    """A pipe that is quoted, to be one word of the line, without its quotes."""
    if audio[0] not in "'\"":
        return audio
    try:
        words = shlex.split(audio)
    except ValueError as error:
        raise InputError(f"{where}: found {audio}: {error}; quote the pipe as one word") from error
    if len(words) != 1:
        raise InputError(f"{where}: found {len(words)} words in {audio}, expected one file or quoted pipe")
    return words[0]


def resampled(path: Path, number: int, audio: str, sample_rate: int | None) -> str:
    """The audio at the speech's rate (Hz), written so that it can stand inside quotes.

    A mono wave file of that rate is named as it is. Of one with several microphones the first is taken, as
    wav-reverberate takes it where nothing is resampled.
    """
    plain = without_quotes(audio, f"{path}:{number}")
    if sample_rate is None:
        return plain
    return without_quotes(mono_at_rate(plain, sample_rate, first_channel=True), str(path))


def make_rir(path: Path, number: int, options: dict[str, str], audio: str) -> Rir:
    """One impulse response.

    Raises:
        InputError: it has no id or room.
    """
    if "rir-id" not in options or "room-id" not in options:
        raise InputError(f"{path}:{number}: an impulse response needs --rir-id and --room-id")
    return Rir(options["rir-id"], options["room-id"], audio)


def make_noise(path: Path, number: int, options: dict[str, str], audio: str) -> ListedNoise:
    """One noise.

    Raises:
        InputError: its kind is not told, or an isotropic one has no room.
    """
    kind, place = options.get("noise-type"), options.get("bg-fg-type", "background")
    if "noise-id" not in options or kind not in ("isotropic", "point-source"):
        raise InputError(f"{path}:{number}: a noise needs --noise-id, and --noise-type isotropic or point-source")
    if place not in ("background", "foreground"):
        raise InputError(f'{path}:{number}: --bg-fg-type is "{place}"; choose background or foreground')
    if kind == "isotropic" and (place != "background" or "room-linkage" not in options):
        raise InputError(f"{path}:{number}: an isotropic noise is background, and needs --room-linkage <room-id>")
    room_id = options.get("room-linkage", "")
    return ListedNoise(options["noise-id"], kind == "isotropic", place == "background", room_id, audio)


def read_sets(
    parameters: Sequence[str],
    known: Sequence[str],
    make: Callable[[Path, int, dict[str, str], str], Item],
    smoothing_weight: float,
    sample_rate: int | None,
) -> list[tuple[Item, float]]:
    """The items of all sets, each with its probability.

    `parameters` are texts `weight, list` or `list`; a list's items share its weight, by --probability where given,
    moved by `smoothing_weight` (0 to 1) towards equal shares.

    Raises:
        InputError: a list is missing, empty or bad.
    """
    found: list[tuple[Item, float]] = []
    for text in parameters:
        weight, path = _weight_and_path(text)
        items: list[Item] = []
        given: list[float | None] = []
        for number, line in filled_lines(path, InputError):
            options, audio = read_list_line(path, number, line, known)
            items.append(make(path, number, options, resampled(path, number, audio, sample_rate)))
            given.append(float(options["probability"]) if "probability" in options else None)
        if not items:
            raise InputError(f"{path}: is empty, expected lines `--{known[0]} <id> … <file or pipe>`")
        shares = smoothed(given, smoothing_weight, str(path))
        found += [(item, weight * share) for item, share in zip(items, shares, strict=True)]
    return found


def _weight_and_path(text: str) -> tuple[float, Path]:
    weight, comma, path = text.partition(",")
    if not comma:
        return 1.0, Path(trimmed(text))
    value = number_of(trimmed(weight))
    if not 0 < value < math.inf:
        raise InputError(f'found the set "{text}", expected "weight, list" with a weight above 0')
    return value, Path(trimmed(path))


def smoothed(given: Sequence[float | None], weight: float, where: str) -> list[float]:
    """Probabilities that sum to one: those given, equal shares of the rest to the others, moved towards equality."""
    total = sum(probability for probability in given if probability is not None)
    unknown = sum(probability is None for probability in given)
    if unknown and total >= 1:
        log_message(f"{where}: the probabilities sum to {total:g}: the {unknown} items without one are never drawn")
    share = max(0.0, 1 - total) / unknown if unknown else 0.0
    filled = [share if probability is None else probability for probability in given]
    norm = sum(filled)
    if norm <= 0:
        raise InputError(f"{where}: the probabilities sum to {norm:g}, expected more than 0")
    return [weight / len(filled) + (1 - weight) * probability / norm for probability in filled]
