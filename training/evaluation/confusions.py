"""What was said, and what was found in its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.evaluation.embedding import Embedded
from training.nano.retrieval import nearest

MOST = 40


@dataclass(frozen=True)
class Confusion:
    """times: how often; margin: by how much, at most, what was found was nearer than what was meant (cosines)."""

    said: str
    found: str
    times: int
    margin: float


def confusions(embedded: Embedded, most: int = MOST) -> Sequence[Confusion]:
    """Utterances whose nearest image is not theirs, the most frequent first, then the surest.

    Images are told by the caption that is first said of them, or by their file.
    """
    found = nearest(embedded.speech, embedded.images)
    wrong = np.flatnonzero(found != embedded.image_of)
    titles = _titles(embedded)
    margins: dict[tuple[str, str], list[float]] = {}
    for row in wrong.tolist():
        pair, meant = embedded.pairs[row], embedded.images[embedded.image_of[row]]
        margin = float(embedded.speech[row] @ (embedded.images[found[row]] - meant))
        margins.setdefault((pair.text or pair.utterance, titles[found[row]]), []).append(margin)
    every = [Confusion(said, seen, len(some), max(some)) for (said, seen), some in margins.items()]
    return sorted(every, key=lambda one: (-one.times, -one.margin, one.said, one.found))[:most]


def _titles(embedded: Embedded) -> list[str]:
    titles = list(embedded.shown)
    for row in reversed(range(len(embedded.pairs))):
        if text := embedded.pairs[row].text:
            titles[embedded.image_of[row]] = text
    return titles
