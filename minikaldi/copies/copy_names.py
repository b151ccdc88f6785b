"""The affixes by which names of copies differ from those of their originals.

Numbers in an affix may differ from copy to copy (`-babble7`, `-snr93412`), so affixes are compared by their form, in
which every number is `0`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

MIN_PAIRS = 2  # originals that a form must turn into copies: one pair of such names may be chance
MIN_SHARE = 0.1  # of all utterances, if it is not set off by `-`, `_` and the like (`yes` and `yesterday`)
MIN_FIT = 0.5  # of the ids of a form with a number: if fewer have their original in the data, only those are copies
MAX_INNER = 4  # components that a name may have within (`noise-free-sound-0042`)
NUMBERED = ("-0", "_0")  # the forms without a letter: `utt-1` is a copy if there is a `utt`

AUGMENTATION_SUFFIXES = ("-reverb", "-noise", "-music", "-babble")
SPEED_PREFIX = re.compile(r"sp\d+(\.\d+)?-(?=.)")  # sp0.9-<utt_id>: a copy at another speed, a speaker of its own
_NUMBER = re.compile(r"\d+")
_APART = re.compile(r"[\W_]")
_PART = re.compile(r"[-_]")


def source_by_name(utt_id: str) -> str | None:
    """The id without its speed prefix and augmentation suffix; None if it has neither."""
    source = SPEED_PREFIX.sub("", utt_id, count=1) if SPEED_PREFIX.match(utt_id) else utt_id
    for suffix in AUGMENTATION_SUFFIXES:
        if source.endswith(suffix) and len(source) > len(suffix):
            source = source.removesuffix(suffix)
            break
    return None if source == utt_id else source


@dataclass(frozen=True)
class Affixes:
    """The forms before and after the ids of copies.

    Attributes:
        prefixes: forms before an id, set off from it by `-`, `_` and the like.
        suffixes: forms after an id, set off from it.
        near: those that count only if the rest is an utterance: the form, and whether it is a suffix.
        glued: patterns of forms that are not set off.
        utt2spk: speaker of each utterance.
    """

    prefixes: frozenset[str] = frozenset()
    suffixes: frozenset[str] = frozenset()
    near: frozenset[tuple[str, bool]] = frozenset()
    glued: tuple[re.Pattern[str], ...] = ()
    utt2spk: Mapping[str, str] = field(default_factory=dict)

    def stripped(self, utt_id: str) -> str:
        """The id without these forms, without the recipe's own affixes, and without inner components of copies."""
        speaker = self.utt2spk.get(utt_id)
        while True:
            shorter = source_by_name(utt_id) or self._once(utt_id, speaker) or self._without_inner(utt_id, speaker)
            if shorter is None:
                return utt_id
            utt_id = shorter

    def _once(self, utt_id: str, speaker: str | None) -> str | None:
        if self.suffixes or self.prefixes:
            form = _NUMBER.sub("0", utt_id)
            # No number is cut in two: the separators of an id and of its form correspond.
            at_id = [match.start() for match in _APART.finditer(utt_id)]
            at_form = [match.start() for match in _APART.finditer(form)]
            for place, cut in zip(at_id, at_form, strict=True):
                if place and self._counts(form[cut:], True, utt_id[:place], utt_id[place:], speaker):
                    return utt_id[:place]
            for place, cut in zip(at_id[::-1], at_form[::-1], strict=True):
                rest = utt_id[place + 1 :]
                if rest and self._counts(form[: cut + 1], False, rest, utt_id[: place + 1], speaker):
                    return rest
        for pattern in self.glued:
            match = pattern.fullmatch(utt_id)
            if match:
                return match["rest"]
        return None

    def _counts(self, form: str, is_suffix: bool, rest: str, affix: str, speaker: str | None) -> bool:
        if form not in (self.suffixes if is_suffix else self.prefixes):
            return False
        if (form, is_suffix) not in self.near:
            return True
        other = self.utt2spk.get(rest)
        return other is not None and speaker in (other, other + affix if is_suffix else affix + other)

    def _without_inner(self, utt_id: str, speaker: str | None) -> str | None:
        """The utterance of the same speaker whose name lacks some components (with a letter) within this one."""
        places = [match.start() for match in _PART.finditer(utt_id)]
        if speaker is None or len(places) < 2 or not _has_letter(utt_id[places[0] : places[-1]]):
            return None
        for first, start in enumerate(places[:-1]):
            for end in places[first + 1 : first + 1 + MAX_INNER]:
                for shift in (0, 1):  # the separator that stays is the one after, or the one before
                    rest = utt_id[: start + shift] + utt_id[end + shift :]
                    if rest not in self.utt2spk:
                        continue
                    inner, other = utt_id[start:end], self.utt2spk[rest]
                    if _has_letter(inner) and speaker in (other, other + inner):
                        return rest
        return None


def learn_affixes(utt2spk: Mapping[str, str], candidates: set[str]) -> Affixes:
    """The forms of prefixes and suffixes that make ids of copies out of other ids.

    Such a form has a letter or is one of NUMBERED, turns several utterances into others of the same speaker (whose id
    may have it too), and is set off by another character than a letter or digit, or very frequent.

    Args:
        candidates: the utterances that may be copies.
    """
    suffixes: dict[str, _Count] = defaultdict(_Count)
    for longer, shorter in _prefix_pairs(utt2spk):
        suffix = longer[len(shorter) :]
        own, other = utt2spk[longer], utt2spk[shorter]
        if longer in candidates and own in (other, other + suffix):
            suffixes[_NUMBER.sub("0", suffix)].add(shorter)
    prefixes: dict[str, _Count] = defaultdict(_Count)
    for longer, shorter in _prefix_pairs(utt_id[::-1] for utt_id in utt2spk):
        longer, shorter = longer[::-1], shorter[::-1]
        prefix = longer[: -len(shorter)]
        own, other = utt2spk[longer], utt2spk[shorter]
        if longer in candidates and own in (other, prefix + other):
            prefixes[_NUMBER.sub("0", prefix)].add(shorter)
    apart_suffixes, glued_suffixes = _chosen(suffixes, 0, len(utt2spk))
    apart_prefixes, glued_prefixes = _chosen(prefixes, -1, len(utt2spk))
    glued = [f"(?P<rest>.+){_pattern(form)}" for form in glued_suffixes]
    glued += [f"{_pattern(form)}(?P<rest>.+)" for form in glued_prefixes]
    near = {(form, True) for form in apart_suffixes if not _has_letter(form)}
    near |= _unfit({form: suffixes[form].pairs for form in apart_suffixes}, True, utt2spk)
    near |= _unfit({form: prefixes[form].pairs for form in apart_prefixes}, False, utt2spk)
    patterns = tuple(re.compile(text) for text in glued)
    return Affixes(frozenset(apart_prefixes), frozenset(apart_suffixes), frozenset(near), patterns, utt2spk)


@dataclass
class _Count:
    """How often a form is seen.

    Attributes:
        originals: utterances that it turns into copies.
        pairs: number of copies.
    """

    originals: set[str] = field(default_factory=set)
    pairs: int = 0

    def add(self, original: str) -> None:
        self.originals.add(original)
        self.pairs += 1


def _chosen(counts: Mapping[str, _Count], inner: int, num_utts: int) -> tuple[list[str], list[str]]:
    """The forms that count: those set off from the rest, and the others, the longest first.

    Args:
        inner: which character of the form touches the rest.
    """
    known = [
        form
        for form, count in counts.items()
        if len(count.originals) >= MIN_PAIRS and (_has_letter(form) or (form in NUMBERED and inner == 0))
    ]
    apart = [form for form in known if _APART.fullmatch(form[inner])]
    glued = [form for form in known if form not in apart and counts[form].pairs >= MIN_SHARE * num_utts]
    return apart, sorted(glued, key=lambda form: (-len(form), form))


def _unfit(pairs: Mapping[str, int], is_suffix: bool, utt_ids: Iterable[str]) -> set[tuple[str, bool]]:
    """The forms with a number for which the rest of most ids is not an utterance: `s1-u7` is not a copy of `s1`."""
    numbered = {form for form in pairs if "0" in form}
    if not numbered:
        return set()
    seen = dict.fromkeys(numbered, 0)
    for utt_id in utt_ids:
        form = _NUMBER.sub("0", utt_id)
        for match in _APART.finditer(form):
            affix = form[match.start() :] if is_suffix else form[: match.end()]
            if affix in seen and affix != form:
                seen[affix] += 1
    return {(form, is_suffix) for form, count in seen.items() if pairs[form] < MIN_FIT * count}


def _pattern(form: str) -> str:
    return r"\d+".join(re.escape(part) for part in form.split("0"))


def _has_letter(text: str) -> bool:
    return any(map(str.isalpha, text))


def _prefix_pairs(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(text, the longest other one that it begins with)."""
    open_ones: list[str] = []
    for text in sorted(texts):
        while open_ones and not text.startswith(open_ones[-1]):
            open_ones.pop()
        if open_ones:
            yield text, open_ones[-1]
        open_ones.append(text)
