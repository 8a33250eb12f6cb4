"""Brings a published model here: downloads its checkpoint, converts it, and looks whether it is what it should be."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from models.errors import CheckpointError, NoSpace, PullError, UnexpectedModel
from models.folder import ModelFolder
from models.official.convert import convert
from models.published import hub
from models.published.registry import PublishedModel, Registry
from models.published.shelf import find_pulled

OnStep = Callable[[str, int, int], None]
"""Told (step, done, total) as a pull goes on. Downloading and converting count bytes; a total of 0 is unknown."""

WAITING, ASKING = "waiting for another pull of this model", "asking the hub"
DOWNLOADING, CONVERTING = "downloading", "converting"
WORK = ".pulling"
GIB = 1 << 30


def pull(name: str, models: Path, registry: Registry, on_step: OnStep = lambda step, done, total: None) -> Path:
    """Bring the model called `name` below the folder `models`; the folder it is in, at once if it is there already.

    Processes that pull the same model take turns, and the second finds it there. Whatever ends a pull, even SIGKILL,
    leaves no half model. Raises `UnknownModel`, `PullError` and its family, `CheckpointError` and
    `ConversionError`.
    """
    if here := find_pulled(models, name):
        return here
    model = registry.get(name)
    with _storing(models), _turn(models / WORK / name, on_step) as work:
        return find_pulled(models, name) or _pull(model, models, work, on_step)


def _pull(model: PublishedModel, models: Path, work: Path, on_step: OnStep) -> Path:
    target = models / model.name
    if os.path.lexists(target):
        raise PullError(f"{target} is in the way: it is no complete model; move or delete it, then pull again")
    on_step(ASKING, 0, 0)
    _require_space(hub.ask(model), models)
    checkpoint = hub.fetch(model, lambda done, total: on_step(DOWNLOADING, done, total))
    new = work / "new"
    try:
        folder = convert(checkpoint, new, model.name, lambda done, total: on_step(CONVERTING, done, total))
    except CheckpointError as error:
        raise CheckpointError(
            f"{model.repository} has something at {model.file} that cannot be used as a checkpoint: {error}"
        ) from error
    _require_expected(model, folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    new.rename(target)
    return target


def _require_expected(model: PublishedModel, folder: ModelFolder) -> None:
    config = folder.config
    found = {
        "branch": config.branch,
        "embedding_size": config.embedding_size,
        "hidden_size": config.audio.hidden_size,
        "layers": config.audio.layers,
    }
    for what, value in found.items():
        if (expected := getattr(model, what)) != value:
            raise UnexpectedModel(f"{model.file} in {model.repository} has {what} {value}, which should be {expected}")


def _require_space(offer: hub.Offer, models: Path) -> None:
    """Room for the checkpoint in the hub's cache and for the model, which is never larger. Raises `NoSpace`."""
    if offer.bytes is None:
        return
    needs = dict[int, int]()
    for folder, bytes_ in ((hub.cache_folder(), 0 if offer.cached else offer.bytes), (models, offer.bytes)):
        existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        disk = existing.stat().st_dev
        needs[disk] = needs.get(disk, 0) + bytes_
        if (free := shutil.disk_usage(existing).free) < needs[disk]:
            raise NoSpace(f"{needs[disk] / GIB:.1f} GiB are needed on the disk of {folder}, {free / GIB:.1f} are free")


@contextmanager
def _turn(work: Path, on_step: OnStep) -> Iterator[Path]:
    """An empty folder of its own for one pull at a time; what is left in it is gone afterwards."""
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as lock:  # it stays: removing it would let two in
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_step(WAITING, 0, 0)
            fcntl.flock(lock, fcntl.LOCK_EX)
        _clear(work)
        try:
            yield work
        finally:
            _clear(work)


def _clear(work: Path) -> None:
    """Also what a pull that was killed has left."""
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != "lock":
            path.unlink(missing_ok=True)


@contextmanager
def _storing(models: Path) -> Iterator[None]:
    """What the disk refuses, as a `PullError`."""
    try:
        yield
    except OSError as error:
        raise PullError(f"the model cannot be stored in {models}: {error.strerror or error}") from error
