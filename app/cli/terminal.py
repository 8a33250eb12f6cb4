"""Answers on stdout, as a table or as JSON; messages and progress on stderr."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from app.cli.plain import plain

MIB = 1024 * 1024

Advance = Callable[[str, int, int], None]
"""(step, done, total)"""


def stdout() -> Console:
    return Console(markup=False, highlight=False, emoji=False)


def stderr() -> Console:
    return Console(stderr=True, markup=False, highlight=False, emoji=False)


def print_json(value: object) -> None:
    """ASCII only, so that it comes through any pipe."""
    typer.echo(json.dumps(value, indent=2))


def print_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table whose cells are folded where the terminal is too narrow, never cut. Columns named # are numbers."""
    table = Table(box=None, pad_edge=False)
    for header in headers:
        table.add_column(header, justify="right" if header == "#" else "left", overflow="fold")
    for row in rows:
        table.add_row(*(plain(cell) for cell in row))
    stdout().print(table)


def print_facts(facts: Sequence[tuple[str, object]]) -> None:
    """One `name  value` per line."""
    width = max(len(name) for name, _ in facts)
    for name, value in facts:
        typer.echo(f"{name:<{width}}  {plain(value)}")


def size_of(count: int) -> str:
    """A number of bytes for people."""
    return f"{count / MIB:,.1f} MiB"


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """A spinner, where somebody watches."""
    with stderr().status(plain(what)):
        yield


@contextmanager
def progress_bar(last: str | None = None) -> Iterator[Advance]:
    """A bar per step where somebody watches; it leaves nothing behind, and is gone with the step `last`."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = stderr()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        tasks = {}

        def advance(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = progress.add_task(plain(step), total=total)
            progress.update(tasks[step], completed=done, total=total)
            if step == last:
                progress.stop()

        yield advance
