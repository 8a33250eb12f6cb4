"""How far `speechclip index` is, where somebody watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import RenderableType
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from app.bulk.tally import Tally
from app.cli.plain import plain
from app.cli.terminal import stderr


class _Bar(Progress):
    """Asks the tally whenever it is drawn: items that are passed over make no batches to tell of."""

    tally: Tally
    started_at: float

    def get_renderables(self) -> Iterable[RenderableType]:
        if self.tasks:
            tally, seconds = self.tally, time.monotonic() - self.started_at
            told = f"{tally.added:,} added, {tally.known:,} there already, {tally.failed:,} failed"
            self.update(
                self.tasks[0].id, completed=tally.weight, told=told, rate=f"{tally.seen / max(seconds, 0.1):,.0f}/s"
            )
        return super().get_renderables()


@contextmanager
def indexing_bar(name: str, tally: Tally, size: Callable[[], int]) -> Iterator[None]:
    """A bar that leaves nothing behind. `size` tells the sum of all weights, however long that takes."""
    console = stderr()
    if not console.is_terminal:
        yield
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[told]}", markup=False),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(),
    )
    with _Bar(*columns, console=console, transient=True) as bar:
        bar.tally, bar.started_at = tally, time.monotonic()
        task = bar.add_task(f"indexing {plain(name)}", total=None, told="", rate="")
        threading.Thread(target=_measure, args=(bar, task, size), daemon=True).start()
        yield


def _measure(bar: _Bar, task: TaskID, size: Callable[[], int]) -> None:
    try:
        bar.update(task, total=size())
    except OSError:
        return  # what is wrong with the source is told by who reads it
