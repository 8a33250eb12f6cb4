"""WebDataset tars: members that follow each other and share a key are a sample, and the key is the record's id.

The key of `a/b.left.png` is `a/b`. An image or a recording is the item, a .txt its caption; of a .json, `caption` or
`text` and `url` or `uri` are taken, and all else is metadata.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pydantic import JsonValue

from app.bulk.folders import SUFFIXES
from app.bulk.items import MAX_ROW, Bad, Found, Item, Slice, bad, stamped
from app.bulk.rows import MEDIA, TEXTS, WEB, embeddable
from app.bulk.tables import json_object
from app.bulk.tars import DamagedTar, Member, members
from index.manifest import Kind
from index.records import Record

TEXT, JSON = ".txt", ".json"
ADDRESSES = ("url", "uri")


@dataclass
class _Sample:
    """What belongs to one key: the first member of each suffix. `size`: bytes of the tar that it takes."""

    key: str
    start: int
    end: int
    parts: dict[str, Member] = field(default_factory=dict)


class WebDataset:
    """One tar file."""

    kinds: tuple[Kind, ...] = ("images", "audio", "captions", "keywords")
    root: Path | None = None

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, path.name

    def size(self) -> int:
        return self.path.stat().st_size

    def items(self, kind: Kind, root: Path | None) -> Iterator[Found]:
        modified = self.path.stat().st_mtime
        with self.path.open("rb") as file:
            for sample in self._samples():
                yield sample if isinstance(sample, Bad) else self._item(sample, kind, file, modified)

    def _samples(self) -> Iterator[_Sample | Bad]:
        sample = _Sample("", 0, 0)
        try:
            for member in members(self.path):
                key, suffix = _split(member.name)
                if suffix not in KNOWN:
                    continue
                if problem := member.problem or _problem(member.name):
                    yield Bad(f"{self.name}/{member.name}", problem)
                    continue
                if key != sample.key:
                    if sample.parts:
                        yield sample
                    sample = _Sample(key, sample.end, member.end)
                sample.parts.setdefault(suffix, member)
                sample.end = member.end
        except DamagedTar as error:
            yield Bad(self.name, f"from here on it cannot be read: {error}")
        if sample.parts:
            yield sample

    def _item(self, sample: _Sample, kind: Kind, file: BinaryIO, modified: float) -> Found:
        where, weight = f"{self.name}/{sample.key}", sample.end - sample.start
        try:
            told = json_object(_read(file, sample.parts[JSON])) if JSON in sample.parts else {}
            caption = _read(file, sample.parts[TEXT]).decode().strip() if TEXT in sample.parts else _first(told, TEXTS)
            uri = _address(told)
            metadata = {name: value for name, value in told.items() if name not in SPOKEN_FOR}
            if kind not in MEDIA:
                return Item(Record(sample.key, uri, embeddable(caption), metadata), None, where, weight)
            member = _media(sample, kind)
            stamp: Mapping[str, JsonValue] = {
                "tar": self.name, "offset": member.offset, "bytes": member.size, "modified": modified
            }  # fmt: skip
            record = Record(sample.key, uri, caption, stamped(metadata, stamp))
            return Item(record, Slice(self.path, member.offset, member.size), where, weight)
        except UnicodeDecodeError:
            return Bad(where, "its .txt is not UTF-8 text", weight)
        except (ValueError, OSError) as error:
            return bad(where, error, weight)


SPOKEN_FOR = frozenset({*TEXTS, *ADDRESSES})
KNOWN = frozenset({TEXT, JSON, *SUFFIXES["images"], *SUFFIXES["audio"]})


def _split(name: str) -> tuple[str, str]:
    """The key, and the last suffix."""
    folder, base = posixpath.split(name.removeprefix("./"))
    return posixpath.join(folder, base.partition(".")[0]), posixpath.splitext(base)[1].lower()


def _problem(name: str) -> str:
    if name.startswith("/") or ".." in name.split("/"):
        return "its name leads out of the tar"
    return ""


def _media(sample: _Sample, kind: Kind) -> Member:
    found = [member for suffix, member in sample.parts.items() if suffix in SUFFIXES[kind]]
    if not found:
        raise ValueError(f"there is none of {', '.join(sorted(SUFFIXES[kind]))}")
    return found[0]


def _read(file: BinaryIO, member: Member) -> bytes:
    if member.size > MAX_ROW:
        raise ValueError(f"{member.name} has {member.size:,} bytes; {MAX_ROW:,} are the most")
    file.seek(member.offset)
    return file.read(member.size)


def _first(told: Mapping[str, JsonValue], names: tuple[str, ...]) -> str | None:
    return next((text for name in names if isinstance(text := told.get(name), str) and text.strip()), None)


def _address(told: Mapping[str, JsonValue]) -> str | None:
    """Where the media is on the web; a path of the machine that made the tar would lead nowhere."""
    address = _first(told, ADDRESSES)
    return address if address is not None and address.startswith(WEB) else None
