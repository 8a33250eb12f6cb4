"""What the keyword slots of a model heard in some utterances of a data set, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.branches.keywords import KeywordSlot
from models.errors import AudioError
from training.datasets import Pair
from training.errors import DatasetError

MOST = 8


@dataclass(frozen=True)
class Utterance:
    """wave: (samples,) at 16 kHz; slots: in the order in which CLIP reads them."""

    wave: NDArray[np.float32]
    slots: Sequence[KeywordSlot]


Listen = Callable[[bytes], Utterance]
"""By a model with slots. Raises `AudioError`."""


def some(pairs: Sequence[Pair], listen: Listen, most: int = MOST) -> Iterator[tuple[str, Utterance]]:
    """Utterances from all over a data set, with what was said in them; those that are gone by now are left out."""
    for pair in pairs[:: max(1, len(pairs) // most)][:most]:
        try:
            yield pair.text or pair.utterance, listen(pair.audio.read())
        except (AudioError, DatasetError):
            continue
