"""What every corpus is once it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from training.datasets.sources import Source


@dataclass(frozen=True, slots=True)
class Pair:
    """One spoken caption and its image.

    `utterance`: unique in its split; `image_id`: the same for all captions of an image, and for no other image of the
    split; `text`: what is said, None where the corpus does not tell.
    """

    utterance: str
    audio: Source
    image: Source
    image_id: int
    text: str | None


@dataclass(frozen=True)
class Dataset:
    """One split of a corpus, in a fixed order.

    `pairs`: what can be used. `missing`: files that the corpus names and that are not there. `unreadable`: what is
    there and cannot be used, with the reason. `duplicates`: what is named again, and was left out the second time.
    """

    name: str
    split: str
    pairs: Sequence[Pair]
    missing: Sequence[str]
    unreadable: Sequence[str] = ()
    duplicates: Sequence[str] = ()


class Corpus(Protocol):
    """A corpus whose lists were found; opening one raises `DatasetError`."""

    @property
    def splits(self) -> Sequence[str]:
        """Those that are there."""
        ...

    def read(self, split: str) -> Dataset:
        """One of `splits`. Raises `DatasetError` where its lists cannot be understood."""
        ...
