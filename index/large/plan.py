"""Which recipe for how many vectors, in how much memory; and why."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from index.large.layered import most_changes
from index.large.recipes import RECIPES, Recipe, RecipeName

# Measured with 1,000,000 x 512 on one core of an ordinary server; see docs/operations.md. Other machines differ.
COMPARED_PER_MS = 5_300_000
"""Numbers of stored vectors that are compared with a query in a millisecond."""
QUICK_MS = 2.0
BUILD_S = {"Flat": 0.0, "FP16": 5e-6, "SQ8": 5e-6, "HNSW": 2.4e-3, "HNSW-SQ8": 2.0e-3,
           "IVF-Flat": 1.6e-4, "IVF-SQ8": 1.6e-4, "IVF-PQ": 2.5e-4}  # fmt: skip
"""CPU seconds for a vector of 512 numbers."""
GPU_MEMORY = 16 * 2**30
"""Bytes that nearly every server's GPU has; FAISS does not tell how many there are."""
PATIENT_S = 900.0
"""CPU seconds of building that are nothing to think about."""

_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


@dataclass(frozen=True)
class Option:
    """One recipe, with what it would take."""

    recipe: RecipeName
    memory: int
    """Bytes that searches need, those of recent changes among them."""
    disk: int
    """Bytes of the collection's folder, the records among them; their metadata is not counted."""
    build_s: float
    """Seconds of building on this many cores."""
    verdict: str
    """Why it is chosen, or not."""


@dataclass(frozen=True)
class Plan:
    """The recipe that is recommended, if any will do, and every one with the reason."""

    recipe: RecipeName | None
    options: tuple[Option, ...]


def plan(count: int, dim: int, memory: int, cores: int, gpu: bool = False) -> Plan:
    """For so many vectors (count, dim), and so many bytes of memory for them; gpu: whether FAISS has one."""
    chosen, options = None, list[Option]()
    for name, suits in _WITH_GPU if gpu else _PREFERENCES:
        recipe = RECIPES[name]
        option = _option(recipe, count, dim, cores)
        fits, reason = suits(option, count, dim)
        if option.memory > memory:
            fits, reason = False, f"needs {in_gib(option.memory)} of memory, more than {in_gib(memory)}"
        elif count < recipe.fewest():
            fits, reason = False, f"needs {recipe.fewest()} vectors or more"
        if fits and chosen is None:
            chosen, reason = name, f"chosen: {reason}"
        elif fits:
            reason = f"would do: {reason}"
        options.append(Option(name, option.memory, option.disk, option.build_s, reason))
    return Plan(chosen, tuple(options))


def in_gib(size: int) -> str:
    """A number of bytes for people."""
    return f"{size / 2**30:,.2f} GiB"


def memory_here() -> int:
    """Half of the memory that this machine, or the container that it is, has: the rest is for the model and others."""
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in _CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # no such file, or the word "max"
            total = min(total, int(path.read_text()))
    return total // 2


def _option(recipe: Recipe, count: int, dim: int, cores: int) -> Option:
    changes = 0 if recipe.name == "Flat" else most_changes(count) * 4 * dim + 9 * count
    # Finding centres is as much as vectors times lists, a graph takes the logarithm for each: both are near this.
    growth = max(1.0, count / 1e6) ** (0.5 if recipe.lists else 0.1)
    seconds = BUILD_S[recipe.name] * count * dim / 512 * growth / cores
    records = count * (4 * dim + 200)
    return Option(recipe.name, recipe.memory(count, dim) + changes, recipe.disk(count, dim) + records, seconds, "")


Verdict = Callable[[Option, int, int], tuple[bool, str]]
"""Whether a recipe suits, and the reason."""


def _flat(option: Option, count: int, dim: int) -> tuple[bool, str]:
    ms = count * dim / COMPARED_PER_MS
    if ms <= QUICK_MS:
        return True, f"comparing every vector takes about {ms:.1f} ms and misses nothing"
    return False, f"comparing every vector takes about {ms:,.0f} ms"


def _graph(option: Option, count: int, dim: int) -> tuple[bool, str]:
    if option.build_s > PATIENT_S:
        return False, f"builds for about {option.build_s / 60:,.0f} minutes, and again when much has changed"
    return True, "a graph finds most in the least time, and is built soon enough"


def _lists(option: Option, count: int, dim: int) -> tuple[bool, str]:
    return True, "lists of byte vectors: quick to build and to search, exact scores from the full vectors on disk"


def _product(option: Option, count: int, dim: int) -> tuple[bool, str]:
    return True, "the least memory: candidates from codes, and their full vectors read from disk, best an SSD"


def _on_gpu(option: Option, count: int, dim: int) -> tuple[bool, str]:
    size = 2 * count * dim
    if size > GPU_MEMORY:
        return False, f"takes {in_gib(size)} of the GPU, more than many have"
    return True, f"the GPU compares every vector, in {in_gib(size)} of its memory"


def _never(reason: str) -> Verdict:
    return lambda option, count, dim: (False, reason)


_PREFERENCES: tuple[tuple[RecipeName, Verdict], ...] = (
    ("Flat", _flat),
    ("HNSW-SQ8", _graph),
    ("IVF-SQ8", _lists),
    ("IVF-PQ", _product),
    ("HNSW", _never("HNSW-SQ8 finds as much in a quarter of the memory")),
    ("IVF-Flat", _never("IVF-SQ8 finds as much in a quarter of the memory")),
    ("SQ8", _never("reads every vector, only shorter ones")),
    ("FP16", _never("reads every vector, only shorter ones")),
)
_WITH_GPU: tuple[tuple[RecipeName, Verdict], ...] = (
    _PREFERENCES[0],
    ("FP16", _on_gpu),
    *(one for one in _PREFERENCES[1:] if one[0] != "FP16"),
)
