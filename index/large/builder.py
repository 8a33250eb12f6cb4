"""Starts the process that builds an index, listens to it, and ends it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import index.errors
from index.durable.files import storage
from index.errors import BuildFailed, CollectionError
from index.manifest import BaseFiles

PREFIX = ".building-"
MOST_TOLD = 2000
GRACE_S = 10
"""For a process to end that has said all."""

Tell = Callable[[str, int, int], object]
"""(step, done, total)"""


@dataclass(frozen=True)
class Effort:
    """What a build may take from others."""

    threads: int
    nice: int

    @classmethod
    def full(cls) -> Self:
        """Somebody waits for it."""
        return cls(cores(), 0)

    @classmethod
    def aside(cls) -> Self:
        """Others are served meanwhile."""
        return cls(max(1, cores() // 2), 10)


class Builder:
    """One build at a time, which any thread may cancel."""

    def __init__(self, folder: Path) -> None:
        """folder: where the files come to be, in folders of their own; what was left of killed builds is deleted."""
        self._folder = folder
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._cancelled = False
        sweep(folder)

    @contextmanager
    def run(self, order: dict[str, object], tell: Tell) -> Iterator[tuple[Path, BaseFiles]]:
        """The folder with the files of an `index.large.building.Order`, and what they are; it is gone after the block.

        Raises `BuildFailed`, `RecallMissed` among them, `InvalidRecipe`, `StorageFailed` or `CollectionDamaged`.
        """
        with storage("the index cannot be built"):
            out = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._folder))
        try:
            yield out, self._built(json.dumps({**order, "out": str(out)}), tell)
        finally:
            shutil.rmtree(out, ignore_errors=True)

    def cancel(self) -> None:
        """End the build that runs, if any, and let no other start."""
        with self._lock:
            self._cancelled = True
            if self._process is not None:
                self._process.kill()

    def _built(self, order: str, tell: Tell) -> BaseFiles:
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as complaints:
            process = self._start(order, complaints)
            try:
                last = _listen(process, tell)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(GRACE_S)
            finally:
                process.kill()
                process.wait()
                for pipe in (process.stdin, process.stdout):
                    if pipe is not None:
                        pipe.close()
                self._process = None
            if self._cancelled:
                raise BuildFailed("the build was cancelled")
            if "files" in last:
                return BaseFiles.model_validate_json(str(last["files"]))
            if "error" in last:
                raise _error(str(last["error"]), str(last["message"]))
            complaints.seek(0)
            raise BuildFailed(f"the build ended with status {process.returncode}: {complaints.read()[-MOST_TOLD:]}")

    def _start(self, order: str, complaints: IO[str]) -> subprocess.Popen[str]:
        root = str(Path(__file__).resolve().parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        with self._lock:
            if self._cancelled:
                raise BuildFailed("the build was cancelled")
            try:
                self._process = subprocess.Popen(
                    # -P: the files of the folder that it is started in are no modules of it.
                    [sys.executable, "-P", "-m", "index.large.building", order],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=complaints,
                    text=True,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                )
            except OSError as error:  # too little memory, too many processes or open files
                raise BuildFailed(f"the build could not be started: {error}") from error
            return self._process


def sweep(folder: Path) -> None:
    """Delete what killed builds left."""
    for path in folder.glob(f"{PREFIX}*"):
        shutil.rmtree(path, ignore_errors=True)


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _listen(process: subprocess.Popen[str], tell: Tell) -> dict[str, Any]:
    """Pass on every step; the last line that was said."""
    last: dict[str, Any] = {}
    for line in process.stdout or ():
        try:
            last = json.loads(line)
        except ValueError:  # cut off by a kill
            return {}
        if "step" in last:
            tell(last["step"], last["done"], last["total"])
    # It lets go of its own accord once all is said; what comes after that is of no interest.
    return last


def _error(name: str, message: str) -> CollectionError:
    kind = getattr(index.errors, name, BuildFailed)
    return kind(message) if issubclass(kind, CollectionError) else BuildFailed(message)
