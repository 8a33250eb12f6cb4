"""`speechclip collections plan` and `build`."""

from __future__ import annotations

import re
from dataclasses import asdict

import typer

from app.cli.errors import CommandError
from app.cli.local import open_store
from app.cli.terminal import print_facts, print_json, print_table, progress_bar
from app.settings import Settings
from index.collection import Collection
from index.errors import NotSupported
from index.large.builder import cores
from index.large.gpu import has_gpu
from index.large.plan import Plan, in_gib, memory_here
from index.large.plan import plan as planned
from index.large.recipes import RecipeName

_COUNT = re.compile(r"(?P<number>[0-9]{1,30}(\.[0-9]{1,30})?) ?(?P<unit>[KMB]?)", re.IGNORECASE)
_SIZE = re.compile(r"(?P<number>[0-9]{1,30}(\.[0-9]{1,30})?) ?(?P<unit>[KMGT]i?B|B)?", re.IGNORECASE)
_THOUSANDS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}
_LETTERS = "bkmgt"
MOST_VECTORS = 10**12


def plan(count: str, dim: int, memory: str | None, as_json: bool) -> None:
    """Print which recipe is recommended for so many vectors, and why, and what every other would take."""
    advice = _advice(count_of(count), dim, memory)
    if as_json:
        print_json(asdict(advice))
        return
    rows = [
        (one.recipe, in_gib(one.memory), in_gib(one.disk), f"{one.build_s / 60:,.1f} min", one.verdict)
        for one in advice.options
    ]
    print_table(("recipe", "memory", "disk", "build", "why"), rows)
    if advice.recipe is None:
        typer.echo("No recipe fits: give it more memory, or a store on a server (docs/operations.md).", err=True)


def build(name: str, recipe: RecipeName | None, recall: float, memory: str | None, settings: Settings) -> None:
    """Build a collection's index by a recipe, else by the one that is recommended, and print what was measured."""
    with open_store(settings).open(name) as collection:
        if not isinstance(collection, Collection):
            raise NotSupported(f"the index of collection {name!r} is built by the server that has it")
        chosen = recipe or _recommended(collection, _advice(collection.count, collection.dim, memory))
        with progress_bar() as advance:
            collection.build(chosen, recall, advance)
        print_facts([("recipe", chosen), *_measured(collection)])


def count_of(text: str) -> int:
    """10M is ten millions."""
    match = _COUNT.fullmatch(text.strip())
    count = round(float(match["number"]) * _THOUSANDS[match["unit"].lower()]) if match else 0
    if not 1 <= count <= MOST_VECTORS:
        raise CommandError(f"{text[:40]!r} is no number of vectors: 200000, 10M or 1B, say")
    return count


def bytes_of(text: str) -> int:
    """8GiB is eight times 2^30 bytes, 8GB eight times 10^9."""
    match = _SIZE.fullmatch(text.strip())
    size = 0
    if match:
        unit = (match["unit"] or "b").lower()
        size = round(float(match["number"]) * (1024 if "i" in unit else 1000) ** _LETTERS.index(unit[0]))
    if size < 1:
        raise CommandError(f"{text[:40]!r} is no amount of memory: 8GiB or 500MB, say")
    return size


def _advice(count: int, dim: int, memory: str | None) -> Plan:
    return planned(count, dim, _memory(memory), cores(), has_gpu())


def _memory(text: str | None) -> int:
    return memory_here() if text is None else bytes_of(text)


def _recommended(collection: Collection, advice: Plan) -> RecipeName:
    if advice.recipe is None:
        needed = min(option.memory for option in advice.options)
        raise CommandError(
            f"no recipe fits {collection.count} vectors into that memory; {in_gib(needed)} is the least: "
            "give it more, name a --recipe, or keep the collection on a server"
        )
    return advice.recipe


def _measured(collection: Collection) -> list[tuple[str, object]]:
    built = collection.built
    if built is None:
        return [("recall@10", "1.0, every vector is compared")]
    return [
        ("recall@10", f"{built.recall} of exact search, with {built.queries} queries"),
        ("CPU per search", f"{built.ms:.2f} ms; {built.exact_ms:.2f} ms to compare every vector"),
        *built.setting.model_dump(exclude_none=True).items(),
    ]
