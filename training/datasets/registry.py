"""The corpora that can be read, by the kind of their layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from training.datasets.dataset import Corpus, Dataset
from training.datasets.flickr8k import Flickr8k
from training.datasets.manifest import Manifest
from training.datasets.names import printable
from training.datasets.spokencoco import KARPATHY, PLAIN, SpokenCoco
from training.datasets.webdataset import WebDataset
from training.errors import DatasetError

KINDS: Mapping[str, Callable[[Path], Corpus]] = {
    "flickr8k": Flickr8k,
    "spokencoco": lambda root: SpokenCoco(root, KARPATHY),
    "spokencoco-plain": lambda root: SpokenCoco(root, PLAIN),
    "manifest": Manifest,
    "webdataset": WebDataset,
}
SAME = {"val": "dev", "dev": "val"}  # Flickr8k and SpokenCOCO call it differently


def open_corpus(kind: str, root: Path) -> Corpus:
    """A corpus of one of `KINDS`, in a folder; a manifest or a WebDataset may be one file. Raises `DatasetError`."""
    if kind not in KINDS:
        raise DatasetError(f"{printable(kind)!r} is no kind of corpus; there are {', '.join(KINDS)}")
    if not root.exists():
        raise DatasetError(f"there is no {printable(root)}")
    return KINDS[kind](root)


def read_split(corpus: Corpus, split: str) -> Dataset:
    """A split, be it empty; `val` and `dev` are the same where only one of them is there. Raises `DatasetError`."""
    there = next((name for name in (split, SAME.get(split)) if name in corpus.splits), None)
    if there is None:
        raise DatasetError(f"there is no split {printable(split)!r}; there are {', '.join(corpus.splits)}")
    return corpus.read(there)


def open_dataset(kind: str, root: Path, split: str) -> Dataset:
    """One split of a corpus, with at least one pair. Raises `DatasetError`."""
    dataset = read_split(open_corpus(kind, root), split)
    if not dataset.pairs:
        lost = [*dataset.missing, *dataset.unreadable]
        why = f": {len(lost)} are missing or unreadable, {lost[0]} first" if lost else ""
        raise DatasetError(f"{printable(root)} has nothing to use in its split {dataset.split}{why}")
    return dataset
