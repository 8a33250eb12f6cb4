"""WebDataset: tar files whose members are a corpus.

    <split>-000000.tar, <split>-000001.tar, ...   or <split>/*.tar, or one tar file; a name of digits alone: `all`

Members with one stem are a sample: an image (jpg, png, webp), a recording (wav, flac, mp3, ogg), and what is said in it
(txt, or `text` or `caption` in json). Several captions of one image are `<stem>.<label>.wav` with `<stem>.<label>.txt`.
An image's id is `image_id` in json, which all samples of a split have or none; else the place of its sample in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from pydantic import BaseModel

from training.datasets.dataset import Dataset, Pair
from training.datasets.folder import parse_json, utf8
from training.datasets.identity import ImageId
from training.datasets.names import printable
from training.datasets.samples import Sample, samples
from training.datasets.sources import MOST_BYTES, FileSource, TarSource
from training.datasets.tars import Member, contents
from training.errors import DatasetError

ALL = "all"
SHARD = re.compile(r"(?P<split>.*?)[-_.]?[0-9]*\.tar", re.DOTALL)
MOST_TEXT = 1 << 20  # bytes of one caption, or of what json tells about a sample


class Facts(BaseModel):
    """The part of a sample's json that is used."""

    text: str | None = None
    caption: str | None = None
    image_id: ImageId | None = None


@dataclass
class _Found:
    """What was read so far. `stated`: whether samples tell their image's id, None while there is none."""

    pairs: list[Pair] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    images: dict[int, TarSource] = field(default_factory=dict)
    places: Iterator[int] = field(default_factory=count)
    stated: bool | None = None


class WebDataset:
    """The corpus in a folder of tar files, or in one; see the module."""

    def __init__(self, root: Path) -> None:
        self._shards = dict[str, list[FileSource]]()
        for split, tar in _shards(root):
            self._shards.setdefault(split, []).append(tar)
        self.splits: Sequence[str] = list(self._shards)
        if not self.splits:
            raise DatasetError(f"{printable(root)} has no tar files")

    def read(self, split: str) -> Dataset:
        found = _Found()
        for tar in self._shards[split]:
            inside = contents(tar.where)
            if inside.damage:
                found.unreadable.append(f"{tar.name}: {inside.damage}")
            grouped, again = samples(inside.members)
            found.duplicates += [f"{tar.name}/{printable(name)}" for name in again]
            for sample in grouped:
                _add(sample, tar, found)
        return Dataset("webdataset", split, found.pairs, found.missing, found.unreadable, found.duplicates)


def _shards(root: Path) -> Iterator[tuple[str, FileSource]]:
    if root.is_file():
        yield _split_of(root.name), FileSource(root.parent, root.name)
        return
    try:
        for path in sorted(root.iterdir()):
            if path.is_dir():
                tars = (tar for tar in sorted(path.glob("*.tar")) if tar.is_file())
                yield from ((printable(path.name), FileSource(root, f"{path.name}/{tar.name}")) for tar in tars)
            elif path.suffix == ".tar" and path.is_file():
                yield _split_of(path.name), FileSource(root, path.name)
    except OSError as error:
        raise DatasetError(f"{printable(root)} cannot be listed: {error.strerror or error}") from error


def _split_of(name: str) -> str:
    match = SHARD.fullmatch(name)
    if not match:
        raise DatasetError(f"{printable(name)} is no .tar file; compressed ones have to be unpacked first")
    return printable(match["split"] or ALL)


def _add(sample: Sample, tar: FileSource, found: _Found) -> None:
    name = f"{tar.name}/{printable(sample.stem)}"
    if not sample.images or not sample.recordings:
        lacking = "an image" if sample.recordings else "a recording"
        # Neither of them: no sample, but notes about the tar file.
        found.missing += [f"{name}: {lacking}"] if sample.images or sample.recordings else []
        return
    try:
        _require_size(sample)
        facts = {label: _facts(member, tar) for label, member in sample.facts.items()}
        texts = {label: _text(member, tar) for label, member in sample.texts.items()}
    except DatasetError as error:
        found.unreadable.append(f"{tar.name}: {error}")
        return
    id = _id(facts, name, found)
    found.pairs += _pairs(sample, tar, id, _image(sample, tar, id, found), texts, facts)


def _pairs(
    sample: Sample, tar: FileSource, id: int, image: TarSource, texts: dict[str, str], facts: dict[str, Facts]
) -> Iterator[Pair]:
    for label, member in sample.recordings.items():
        told = facts.get(label) or facts.get("") or Facts()
        text = texts.get(label) or told.text or told.caption or texts.get("") or None
        name = f"{tar.where.stem}/{sample.stem}" + (f".{label}" if label else "")
        yield Pair(printable(name), _source(tar, member), image, id, text)


def _id(facts: dict[str, Facts], name: str, found: _Found) -> int:
    id = facts.get("", Facts()).image_id
    if found.stated not in (None, id is not None):
        raise DatasetError(f"{name}: some samples tell their image_id, and others do not")
    found.stated = id is not None
    return next(found.places) if id is None else id


def _require_size(sample: Sample) -> None:
    for member in (sample.images[0], *sample.recordings.values()):
        if member.size > MOST_BYTES:
            raise DatasetError(f"{member.name} has {member.size:,} bytes; {MOST_BYTES:,} are the most")


def _image(sample: Sample, tar: FileSource, id: int, found: _Found) -> TarSource:
    """The first image of that id, where this one is a copy of it: one of another size is not."""
    image = _source(tar, sample.images[0])
    first = found.images.setdefault(id, image)
    return first if first.size == image.size else image


def _source(tar: FileSource, member: Member) -> TarSource:
    return TarSource(tar, member.name, member.offset, member.size)


def _text(member: Member, tar: FileSource) -> str:
    return utf8(_small(member, tar), member.name).strip()


def _facts(member: Member, tar: FileSource) -> Facts:
    return parse_json(_small(member, tar), Facts, member.name)


def _small(member: Member, tar: FileSource) -> bytes:
    if member.size > MOST_TEXT:
        raise DatasetError(f"{member.name} has {member.size:,} bytes; {MOST_TEXT:,} are the most")
    return _source(tar, member).read()
