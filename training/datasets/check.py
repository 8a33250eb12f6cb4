"""What there is in a corpus and what is not, found before anything is trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from training.datasets.dataset import Dataset
from training.datasets.probe import Watched, probe
from training.datasets.registry import open_corpus, read_split


@dataclass(frozen=True)
class SplitReport:
    """One split. `images`, `utterances`, `texts`: how many can be used.

    `hours`: of speech, estimated from `measured` recordings where these are not all; None where none could be read.
    `shared_ids`: ids that several images have, each of which would count as an answer for the others.
    """

    split: str
    images: int
    utterances: int
    texts: int
    hours: float | None
    measured: int
    missing: Sequence[str]
    unreadable: Sequence[str]
    duplicates: Sequence[str]
    shared_ids: Sequence[int]


@dataclass(frozen=True)
class Report:
    """A corpus, or one split of it. `in_several_splits`: images that are trained on and evaluated with, then."""

    kind: str
    root: str
    splits: Sequence[SplitReport]
    in_several_splits: Sequence[str]

    @property
    def sound(self) -> bool:
        """Whether everything that is named is there, can be used, and is of one split only."""
        faults = [fault for split in self.splits for fault in (split.missing, split.unreadable, split.shared_ids)]
        used = all(split.utterances for split in self.splits)
        return used and not any(faults) and not self.in_several_splits


def check(kind: str, root: Path, split: str | None, thorough: bool, watched: Watched = iter) -> Report:
    """Read a split, or all, and look into the files: see `training.datasets.probe`. Raises `DatasetError`."""
    corpus = open_corpus(kind, root)
    reports, seen, again = list[SplitReport](), set[str](), set[str]()
    for name in corpus.splits if split is None else [split]:
        dataset = read_split(corpus, name)
        images = {pair.image.name for pair in dataset.pairs}
        again |= images & seen
        seen |= images
        reports.append(_report(dataset, thorough, watched))
    return Report(kind, str(root), reports, sorted(again))


def _report(dataset: Dataset, thorough: bool, watched: Watched) -> SplitReport:
    looked = probe(dataset, thorough, watched)
    return SplitReport(
        split=dataset.split,
        images=len({pair.image.name for pair in dataset.pairs}),
        utterances=len(dataset.pairs),
        texts=sum(pair.text is not None for pair in dataset.pairs),
        hours=looked.hours,
        measured=looked.measured,
        missing=dataset.missing,
        unreadable=[*dataset.unreadable, *looked.unreadable],
        duplicates=dataset.duplicates,
        shared_ids=_shared_ids(dataset),
    )


def _shared_ids(dataset: Dataset) -> list[int]:
    first, shared = dict[int, str](), set[int]()
    for pair in dataset.pairs:
        if first.setdefault(pair.image_id, pair.image.name) != pair.image.name:
            shared.add(pair.image_id)
    return sorted(shared)
