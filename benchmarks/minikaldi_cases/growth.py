"""Growth of cost: the same commands on ten and a hundred times as many utterances and trials."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.minikaldi_cases.data import (
    in_child,
    repeated_scp,
    write_feats,
    write_labels,
    write_room,
    write_trials,
    write_vectors,
    write_waves,
)
from benchmarks.minikaldi_cases.measure import ROOT, Usage
from benchmarks.minikaldi_cases.place import Place

SHARED_OBJECTS, SECONDS, FRAMES = 100, 1, 100  # the utterances of a list share these, in turns
VECTORS_PER_SPEAKER = 20
FLAT = 1.1  # times the memory; a smaller difference is the allocator's
LEAST_SECONDS = 0.02  # a smaller difference is noise

VAD = f"compute-vad --config={ROOT}/conf/vad.conf"
CMVN = "apply-cmvn-sliding --norm-vars=false --center=true --cmn-window=300"
SELECTION = (
    f"select-voiced-frames 'ark:{CMVN} scp:feats.{{n}} ark:- |' scp,s,cs:vad.{{n}} ark:- |"
    " copy-feats --write-num-frames=ark,t:lengths ark:- ark,scp:voiced.ark,voiced.scp"
)
CHAIN = (
    "ivector-subtract-global-mean mean.vec ark:vec.{n}.ark ark:- | transform-vec wide.mat ark:- ark:- |"
    " ivector-normalize-length ark:- ark:chain.ark"
)


@dataclass(frozen=True)
class Case:
    """A command for {n} utterances or trials.

    Attributes:
        what: the command, in words.
        counted: "utterances" or "trials".
        streams: whether it keeps no more of an utterance than its key.
        command: the command line.
    """

    what: str
    counted: str
    streams: bool
    command: str


CASES = (
    Case(
        "compute-mfcc-feats, 1 s waves",
        *("utterances", True),
        f"compute-mfcc-feats --dither=0 --config={ROOT}/conf/mfcc.conf scp:waves.{{n}} ark:/dev/null",
    ),
    Case("wav-reverberate as inner pipes, 1 s waves", "utterances", True, "wav-copy scp:rooms.{n} ark:/dev/null"),
    Case("wav-to-duration", "utterances", True, "wav-to-duration scp:waves.{n} ark,t:duration"),
    Case("compute-vad, 100 frames", "utterances", True, f"{VAD} scp:feats.{{n}} ark,scp:vad.ark,vad.{{n}}"),
    Case("CMVN, selection and copy (stage 4), 100 frames", "utterances", True, SELECTION),
    Case(
        "copy-feats --compress, 100 frames",
        *("utterances", True),
        "copy-feats --compress=true scp:feats.{n} ark,scp:copy.ark,copy.scp",
    ),
    Case("feat-to-len", "utterances", True, "feat-to-len scp:feats.{n} ark,t:lengths"),
    Case("centring, LDA and length of vectors: a pipe of 3", "utterances", True, CHAIN),
    Case(
        "ivector-mean over speakers", "utterances", False, "ivector-mean ark:vec.{n}.spk2utt ark:vec.{n}.ark ark:means"
    ),
    Case(
        "ivector-compute-lda",
        *("utterances", False),
        "ivector-compute-lda --dim={lda_dim} ark:vec.{n}.ark ark:vec.{n}.utt2spk lda.mat",
    ),
    Case(
        "ivector-compute-plda",
        *("utterances", False),
        "ivector-compute-plda ark:vec.{n}.spk2utt ark:vec.{n}.ark plda",
    ),
    Case(
        "ivector-plda-scoring",
        *("trials", True),
        "ivector-plda-scoring plda ark:ends.ark ark:ends.ark trials.{n} scores",
    ),
    Case(
        "ivector-compute-dot-products",
        *("trials", True),
        "ivector-compute-dot-products trials.{n} ark:ends.ark ark:ends.ark dots",
    ),
    Case("compute-eer", "trials", False, "compute-eer labels.{n}"),
)


@dataclass
class Growth:
    """One case at several sizes, each the same multiple of the one before."""

    case: Case
    counts: list[int] = field(default_factory=list)
    usages: list[Usage] = field(default_factory=list)

    def exponent(self) -> float | None:
        """p of seconds = a + b items^p, from the last three sizes; None if they differ too little.

        With sizes n, rn, rrn the differences are b n^p (r^p - 1) and r^p times that; the constant part cancels.
        """
        first, second, third = (usage.cpu for usage in self.usages[-3:])
        if min(second - first, third - second) < LEAST_SECONDS:
            return None
        return math.log((third - second) / (second - first)) / math.log(self.counts[-1] / self.counts[-2])

    def bytes_per_item(self) -> float:
        """Growth of the peak memory from the last size but one to the last, per additional item."""
        more = self.usages[-1].peak_mb - self.usages[-2].peak_mb
        return 1e6 * more / (self.counts[-1] - self.counts[-2])

    def is_flat(self) -> bool:
        """Whether the largest size needs about the same memory as the one before."""
        return self.usages[-1].peak_mb < FLAT * self.usages[-2].peak_mb


def growths(place: Place) -> Iterator[Growth]:
    """The part `growth`, in a separate folder; each command once per size."""
    place = dataclasses.replace(place, folder=place.folder / "growth")
    place.folder.mkdir()
    in_child(_prepare, place)
    lda_dim = min(50, place.sizes.growth[0] // VECTORS_PER_SPEAKER - 1)
    for case in CASES:
        growth = Growth(case, [*_counts(place, case.counted)])
        for n in growth.counts:
            growth.usages.append(place.measure(case.command.format(n=n, lda_dim=lda_dim), 1))
        yield growth


def _counts(place: Place, counted: str) -> tuple[int, ...]:
    return place.sizes.growth if counted == "utterances" else place.sizes.growth_trials


def _prepare(place: Place) -> None:
    """Lists of every size; the vectors differ, waves and matrices are shared."""
    folder, seed, sizes = place.folder, place.seed, place.sizes
    write_waves(folder, "wav", min(SHARED_OBJECTS, sizes.growth[0]), SECONDS, seed)
    write_room(folder, seed)
    write_feats(folder, min(SHARED_OBJECTS, sizes.growth[0]), FRAMES, seed)
    for n in sizes.growth:
        repeated_scp(folder / "wav.scp", folder / f"waves.{n}", n)
        repeated_scp(folder / "feats_cm.scp", folder / f"feats.{n}", n)
        _write_rooms(place, n)
        write_vectors(folder, f"vec.{n}", n, sizes.growth_dim, n // VECTORS_PER_SPEAKER, seed)
    write_vectors(folder, "ends", sizes.trial_vectors, sizes.growth_dim, sizes.trial_vectors // 5, seed + 1)
    for n in sizes.growth_trials:
        write_trials(folder, f"trials.{n}", "ends", n, seed)
        write_labels(folder, f"labels.{n}", n, seed)
    least = sizes.growth[0]
    ends = f"ark:vec.{least}.ark ark:vec.{least}.utt2spk wide.mat"
    lda = f"ivector-compute-lda --dim={least // VECTORS_PER_SPEAKER - 1} {ends}"
    place.measure(f"ivector-mean ark:vec.{least}.ark mean.vec && {lda}", 1)


def _write_rooms(place: Place, n: int) -> None:
    """`rooms.<n>`: each wave in the room, as a pipe."""
    lines = (place.folder / f"waves.{n}").read_text().splitlines()
    with (place.folder / f"rooms.{n}").open("w") as pipes:
        for key, path in (line.split() for line in lines):
            pipes.write(f"{key} wav-reverberate --shift-output=true --impulse-response=rir.wav {path} - |\n")
