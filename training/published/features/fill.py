"""Features are computed once; killed, it goes on with what is not there yet."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from rich.progress import Progress

from training.datasets import Source
from training.published.errors import TrainingError
from training.published.features.records import Made, Records
from training.published.features.survey import Survey, digest, open_records
from training.published.samples import read_pixels, read_wave

_AT_ONCE = 32  # arrays that are written together: what a kill can cost

_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))

Make = Callable[[bytes], Made]


def require_room(survey: Survey, folder: Path) -> None:
    """Raises `TrainingError` where features do not fit on the disk."""
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    free = shutil.disk_usage(there).free
    if survey.bytes > free:
        raise TrainingError(f"features take {told(survey.bytes)}, and {told(free)} are left in {folder}")


def told(size: int) -> str:
    """Bytes, for people."""
    scale, unit = next(((scale, unit) for scale, unit in _UNITS if size >= scale), _UNITS[-1])
    return f"{size / scale:,.1f} {unit}"


def fill(survey: Survey, folder: Path, progress: bool) -> tuple[Records, Records]:
    """The records of speech and of images, with everything that was found. Raises `TrainingError`."""
    encoders = survey.encoders

    def heard(data: bytes) -> Made:
        wave = read_wave(data)
        return Made(encoders.hear(wave), len(wave))

    def seen(data: bytes) -> Made:
        return Made(encoders.look(read_pixels(data, survey.pixels)), 0)

    with _alone(folder):
        speech, images = open_records(folder, encoders)
        with Progress(disable=not progress) as bars:
            _add(images, survey.images, seen, bars, "images")
            _add(speech, survey.speech, heard, bars, "speech")
    return speech, images


def _add(records: Records, sources: Mapping[str, Source], make: Make, bars: Progress, name: str) -> None:
    if not sources:
        return
    missing = iter([key for key in sources if key not in records])
    bar: Any = bars.add_task(name, total=len(sources), completed=sum(key in records for key in sources))
    while keys := list(islice(missing, _AT_ONCE)):
        records.add({key: _made(key, sources[key], make) for key in keys})
        bars.update(bar, advance=len(keys))


def _made(key: str, source: Source, make: Make) -> Made:
    data = source.read()
    if digest(data) != key:
        raise TrainingError(f"{source.name} has changed since it was looked at")
    return make(data)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time computes; another one waits, and finds everything there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("ab")
    except OSError as error:
        raise TrainingError(f"{folder} cannot be written: {error.strerror or error}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
