"""The ways of searching many vectors without comparing each: what FAISS builds, what it takes, what it needs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

RecipeName: TypeAlias = Literal["Flat", "FP16", "SQ8", "HNSW", "HNSW-SQ8", "IVF-Flat", "IVF-SQ8", "IVF-PQ"]
"""A plain string to typing: what may stand in a manifest."""

NEIGHBOURS = 32
"""Links of a vector in an HNSW graph; twice as many on its lowest level."""
CONSTRUCTION = 80
"""Candidates that an HNSW graph looks at for every vector it takes in."""
TRAINING_PER_LIST = 20
"""Vectors for every list, of which its centre is learned."""
FEWEST_FOR_CODES = 16
"""Vectors that a product quantizer needs: it has as many codes for each part."""
COMPARED_CENTRES = 8192
"""So many centres are compared with a query sooner than a graph would find the nearest of them."""


@dataclass(frozen=True)
class Recipe:
    """One way. Bytes are those that have to stay in memory for every vector of so many numbers."""

    name: RecipeName
    codes: Literal["full", "half", "byte", "product"]
    """How the index keeps a vector: as it is, in half precision, a byte for a number, half a byte for four numbers."""
    lists: bool = False
    """Vectors lie in lists around centres; a search reads the lists whose centres are nearest."""
    graph: bool = False
    """A search follows links from vector to vector."""

    def code_bytes(self, dim: int) -> int:
        """The index's own copy of one vector."""
        return {"full": 4 * dim, "half": 2 * dim, "byte": dim, "product": (parts(dim) + 1) // 2}[self.codes]

    def vector_bytes(self, dim: int) -> int:
        """All that one vector takes in memory."""
        links = 4 * (2 * NEIGHBOURS + 2) if self.graph else 0
        # Where there are lists, they hold the number of each vector.
        return self.code_bytes(dim) + links + 8 * self.lists

    def memory(self, count: int, dim: int) -> int:
        """Bytes of an index over so many vectors."""
        centres = lists_for(count) * (4 * dim + 4 * 2 * NEIGHBOURS) if self.lists else 0
        return count * self.vector_bytes(dim) + centres

    def disk(self, count: int, dim: int) -> int:
        """Bytes of its files, the full vectors among them; the records come on top, with the vectors once more."""
        return self.memory(count, dim) + (0 if self.name == "Flat" else count * (4 * dim + 8))

    def fewest(self) -> int:
        """Vectors without which it cannot be built."""
        return FEWEST_FOR_CODES if self.codes == "product" else 1

    def factory(self, count: int, dim: int) -> str:
        """FAISS's description of an index for so many vectors."""
        coder = {"full": "Flat", "half": "SQfp16", "byte": "SQ8", "product": f"PQ{parts(dim)}x4fs"}[self.codes]
        if self.graph:
            return f"HNSW{NEIGHBOURS},{coder}"
        if self.lists:
            graph = f"_HNSW{NEIGHBOURS}" if lists_for(count) > COMPARED_CENTRES else ""
            coder = f"IVF{lists_for(count)}{graph},{coder}"
        if self.codes == "product":
            return f"OPQ{parts(dim)}_{parts(dim) * (dim // parts(dim))},{coder}"
        return coder


RECIPES: Mapping[RecipeName, Recipe] = MappingProxyType({
    recipe.name: recipe
    for recipe in (
        Recipe("Flat", "full"),
        Recipe("FP16", "half"),
        Recipe("SQ8", "byte"),
        Recipe("HNSW", "full", graph=True),
        Recipe("HNSW-SQ8", "byte", graph=True),
        Recipe("IVF-Flat", "full", lists=True),
        Recipe("IVF-SQ8", "byte", lists=True),
        Recipe("IVF-PQ", "product", lists=True),
    )
})  # fmt: skip


def parts(dim: int) -> int:
    """Into how many parts a product quantizer cuts a vector: one for four numbers."""
    return max(1, dim // 4)


def lists_for(count: int) -> int:
    """How many lists: some four times the square root, a power of two, with enough vectors to train each."""
    wanted = 1 << round(math.log2(4 * math.sqrt(max(count, 1))))
    return max(1, min(wanted, count // TRAINING_PER_LIST))
