"""Recall over a whole split while a model is trained (spec section 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from training.nano.retrieval import RANKS, Vectors, best_ranks
from training.published.gather import world

Rows = tuple[Tensor, Tensor, Tensor, Tensor]
"""places (B,), ids (B,), speech (B, E) and images (B, E) of one batch."""


@dataclass
class Seen:
    """The batches of a validation so far, of this process."""

    rows: list[Rows] = field(default_factory=list)

    def add(self, places: Tensor, ids: Tensor, speech: Tensor, images: Tensor) -> None:
        self.rows.append((places.cpu(), ids.cpu(), speech.float().cpu(), images.float().cpu()))

    def by_all(self) -> Seen:
        """What all processes have seen."""
        return Seen(_all(self.rows))

    @property
    def pairs(self) -> int:
        return sum(len(places) for places, *_ in self.rows)

    def recalls(self) -> Mapping[str, float]:
        """By the name of the figure, in per cent; nothing where nothing was seen."""
        if not self.rows:
            return {}
        places, ids, speech, images = (torch.cat(column).numpy() for column in zip(*self.rows, strict=True))
        order = np.argsort(places, kind="stable")
        return figures(ids[order].tolist(), speech[order], images[order])


def figures(ids: list[int], speech: Vectors, images: Vectors) -> Mapping[str, float]:
    """Speech -> image, image -> speech and their mean. ids, speech, images: of the utterances, in their order.

    Of several vectors of an image the first is taken.
    """
    first = dict[int, int]()
    for row, id in enumerate(ids):
        first.setdefault(id, row)
    place = {id: number for number, id in enumerate(first)}
    gallery = images[list(first.values())]
    spoken: list[list[int]] = [[] for _ in first]
    for row, id in enumerate(ids):
        spoken[place[id]].append(row)
    there = _percent(speech, gallery, [[place[id]] for id in ids])
    back = _percent(gallery, speech, spoken)
    found = dict[str, float]()
    for k in RANKS:
        found |= {f"speech_to_image_{k}": there[k], f"image_to_speech_{k}": back[k]}
        found[f"recall_mean_{k}"] = (there[k] + back[k]) / 2
    return found


def _percent(queries: Vectors, gallery: Vectors, members: list[list[int]]) -> Mapping[int, float]:
    ranks = best_ranks(queries, gallery, members)
    return {k: 100 * float((ranks <= k).mean()) for k in RANKS}


def _all(rows: list[Rows]) -> list[Rows]:
    if world()[1] == 1:
        return rows
    everyone: list[list[Rows]] = [[] for _ in range(world()[1])]
    dist.all_gather_object(everyone, rows)
    return [row for theirs in everyone for row in theirs]
