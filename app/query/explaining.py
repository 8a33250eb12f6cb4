"""Which part of a picture makes it an answer: each is covered, and what the score then loses is what it counts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.engine import Task
from app.errors import UnsupportedMedia
from app.media import media_file
from app.query.embedding import Vector
from app.state import Loaded, State
from app.stopwatch import Stopwatch
from index.backend import Collection
from models.decoders import Decoder
from models.images import looked_at

MOST_BYTES = 64 * 1024 * 1024
"""Of a picture's file."""

Box = tuple[int, int, int, int]
"""left, top, right, bottom"""


@dataclass(frozen=True)
class Grid:
    """cells: rows, and columns; cover: cells along a side of the cover that is moved over them, a cell at a time, from
    one that lies over the first row or column alone to one over the last alone.
    """

    cells: int
    cover: int

    def covers(self, size: tuple[int, int]) -> list[Box]:
        """Where the covers lie in a picture of this size; each cell is below as many of them."""
        across, down = ([round(cell * side / self.cells) for cell in range(self.cells + 1)] for side in size)
        return [(across[c.start], down[r.start], across[c.stop], down[r.stop]) for r, c in self._places()]

    def drops(self, whole: float, cosines: Sequence[float]) -> NDArray[np.float64]:
        """Of the picture as it is and under every cover: (rows, columns) the mean drop under the covers over a cell."""
        total = np.zeros((self.cells, self.cells))
        for place, cosine in zip(self._places(), cosines, strict=True):
            total[place] += whole - cosine
        return total / self.cover**2

    def _places(self) -> Iterator[tuple[slice, slice]]:
        starts = range(1 - self.cover, self.cells)
        spans = [slice(max(start, 0), min(start + self.cover, self.cells)) for start in starts]
        return ((rows, columns) for rows in spans for columns in spans)


GRID = Grid(cells=6, cover=2)
"""Others point as well or worse, are coarser or cost more: `bench.pointing`."""


@dataclass(frozen=True)
class Part:
    """The part of a picture that the model looks at, in shares of its width and height."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Explanation:
    """score: the cosine of the query and the picture as it is, of the middle square that the model looks at;
    drops: (rows, columns), by how much it is less on average where a cover lies over the cell; part: where the grid
    lies in the picture.
    """

    score: float
    drops: NDArray[np.float64]
    part: Part


async def explain(
    state: State, loaded: Loaded, collection: Collection, id: str, vector: Vector, watch: Stopwatch
) -> Explanation:
    """Why the picture behind a record is near to a vector (E,), found by asking the model about it many times.

    Raises `ItemNotFound`, `MediaNotFound`, `UndecodableImage`, `UnsupportedMedia`, and `Overloaded` while too many
    batches are worked on.
    """
    with state.batches.hold():
        path, _, status = await state.searching.run(partial(media_file, collection, id))
        if status.st_size > MOST_BYTES:
            raise UnsupportedMedia(f"The file of the record {id!r} is too large to be looked at again.")
        pictures, part = await watch.run("decode", state.decoding, partial(_pictures, state.decoder, loaded, path))
        cosines = [float(vector @ one) for one in await _embedded(state, loaded, pictures)]
    return Explanation(cosines[0], GRID.drops(cosines[0], cosines[1:]), part)


def middle(size: tuple[int, int]) -> Part:
    """The square in the middle, which is all that a model looks at."""
    width, height = (min(size) / side for side in size)
    return Part((1 - width) / 2, (1 - height) / 2, width, height)


def covered(picture: Image.Image, box: Box) -> Image.Image:
    """A copy with a box of its mean colour."""
    copy = picture.copy()
    copy.paste(_mean(picture), box)
    return copy


def _pictures(decoder: Decoder, loaded: Loaded, path: Path) -> tuple[list[Image.Image], Part]:
    """What the model looks at of the picture in a file, as it is and under every cover, and which part that is."""
    image, _ = decoder.image(path.read_bytes())
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = looked_at(image.crop((left, top, left + side, top + side)), loaded.engine.encoder.image_size)
    return [square, *(covered(square, box) for box in GRID.covers(square.size))], middle(image.size)


def _mean(picture: Image.Image) -> tuple[int, ...]:
    return tuple(np.asarray(picture, np.float64).mean(axis=(0, 1)).round().astype(int).tolist())


async def _embedded(state: State, loaded: Loaded, pictures: Sequence[Image.Image]) -> list[Vector]:
    """A group at a time beside the queries, so that none of those waits for more than one group."""
    size, vectors = state.settings.batch_size, list[Vector]()
    for start in range(0, len(pictures), size):
        async with state.batch_turn:
            group = [loaded.engine.encode(Task("image"), one) for one in pictures[start : start + size]]
            vectors += [encoded.vector for encoded in await asyncio.gather(*group)]
    return vectors
