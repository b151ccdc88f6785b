"""Lists of room impulse responses and of noises, from which reverberate_data_dir.py draws.

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
    """An impulse response of a room.

    Attributes:
        rir_id: its id.
        room_id: the room.
        audio: file or pipe.
    """

    rir_id: str
    room_id: str
    audio: str


@dataclass(frozen=True)
class ListedNoise:
    """A noise of a list.

    Attributes:
        noise_id: its id.
        isotropic: whether it comes from everywhere in one room, and not from a point in any room.
        background: whether it is as long as the speech; a foreground noise is at a random place of the speech.
        room_id: the room of an isotropic noise.
        audio: file or pipe.
    """

    noise_id: str
    isotropic: bool
    background: bool
    room_id: str
    audio: str


class WeightedItems(Generic[Item]):
    """Items to draw from, each with its probability."""

    def __init__(self, items: Sequence[tuple[Item, float]]) -> None:
        self.items = [item for item, _ in items]
        self._sums = list(itertools.accumulate(probability for _, probability in items))

    def draw(self, rng: random.Random) -> Item:
        """Draw an item by its probability."""
        place = bisect.bisect_right(self._sums, rng.random() * self._sums[-1])
        return self.items[min(place, len(self.items) - 1)]


def read_list_line(path: Path, number: int, line: str, known: Sequence[str]) -> tuple[dict[str, str], str]:
    """The options of a line of a list, and the file or pipe after them.

    Args:
        path: the list, for errors.
        number: number of the line, for errors.
        line: the line.
        known: the allowed options.

    Raises:
        InputError: an option is unknown or has no value, a probability is invalid, or there is no file or pipe.
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
    """The audio without the quotes around a pipe, which make it one word of the line."""
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
    """The audio at the rate of the speech (Hz), in a form that can be put inside quotes.

    A mono wave file of this rate stays as it is. Of several channels the first is used, as wav-reverberate does if
    nothing is resampled.
    """
    plain = without_quotes(audio, f"{path}:{number}")
    if sample_rate is None:
        return plain
    return without_quotes(mono_at_rate(plain, sample_rate, first_channel=True), str(path))


def make_rir(path: Path, number: int, options: dict[str, str], audio: str) -> Rir:
    """An impulse response from the options of its line.

    Raises:
        InputError: it has no id or room.
    """
    if "rir-id" not in options or "room-id" not in options:
        raise InputError(f"{path}:{number}: an impulse response needs --rir-id and --room-id")
    return Rir(options["rir-id"], options["room-id"], audio)


def make_noise(path: Path, number: int, options: dict[str, str], audio: str) -> ListedNoise:
    """A noise from the options of its line.

    Raises:
        InputError: its kind is not given, or it is isotropic and has no room.
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

    Args:
        parameters: texts `weight, list` or `list`; the items of a list share its weight, by --probability if given.
        known: the allowed options of a line.
        make: makes an item from path, line number, options and audio.
        smoothing_weight: how far the shares move towards equal ones, 0 to 1.
        sample_rate: rate of the speech in Hz; None: nothing is resampled.

    Raises:
        InputError: a list is missing, empty or invalid.
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
    """Probabilities that sum to 1, smoothed.

    Args:
        given: probability of each item; items with None share the rest equally.
        weight: how far the probabilities move towards equal ones, 0 to 1.
        where: name of the list in messages.

    Raises:
        InputError: the probabilities sum to 0.
    """
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
