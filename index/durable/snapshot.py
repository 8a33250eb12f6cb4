"""A collection in one file: a tar of its records and kept media, and behind it the checksum of all that."""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import IO, Annotated, Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from index.durable import files
from index.durable.media import FOLDER, Media, digest_in, is_name
from index.durable.table import FILE_NAME as RECORDS
from index.errors import SnapshotDamaged
from index.manifest import Manifest

CONTENTS = "contents.json"
MOST_CONTENTS = 1024 * 1024
CHUNK = 1024 * 1024

_TRAILER = b"\nspeechclip snapshot sha256 %s\n"
_TRAILER_BYTES = len(_TRAILER % bytes(64))

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Contents(BaseModel):
    """What is in a snapshot. Kept media need no checksums here: their names are what they are to have."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1] = 1
    manifest: Manifest
    version: Annotated[int, Field(ge=0)]
    count: Annotated[int, Field(ge=0)]
    records: Digest
    media: Annotated[int, Field(ge=0)]
    """How many files."""


class Snapshot:
    """A snapshot that has been read from end to end and is as it was written."""

    def __init__(self, path: Path, called: str | None = None) -> None:
        """Raises `SnapshotDamaged`, or `StorageFailed` where the file cannot be read.

        called: what errors call it, if not by its name.
        """
        self.path, self._called = path, called or path.name
        with _reading(self._called):
            self.bytes = path.stat().st_size
            self.sha256 = _verified(path, self._called)
            with _opened(path) as archive:
                names = _names(archive, self._called)
                self.contents = _contents(archive, self._called)
        media = sum(name.startswith(f"{FOLDER}/") for name in names)
        if RECORDS not in names or media != self.contents.media:
            raise SnapshotDamaged(f"{self._called} does not hold what it says")

    @classmethod
    def write(cls, path: Path, contents: Contents, records: Path, media: Iterable[Path]) -> Self:
        """Make a snapshot in a new file, durably and wholly or not at all, and read it back."""

        def fill(new: Path) -> None:
            with new.open("wb") as file:
                hashing = _Hashing(file)
                with tarfile.open(mode="w|", fileobj=cast(IO[bytes], hashing), format=tarfile.PAX_FORMAT) as archive:
                    _add(archive, RECORDS, records)
                    for one in media:
                        _add(archive, f"{FOLDER}/{one.name}", one)
                    _add_bytes(archive, CONTENTS, contents.model_dump_json(indent=2).encode())
                file.write(_TRAILER % hashing.digest.hexdigest().encode())

        with files.storage(f"the snapshot {path.name} cannot be written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            files.replace(path, fill)
        return cls(path)

    def without_media_root(self) -> Self:
        """The same, of a collection that has no media but what is in here."""
        manifest = self.contents.manifest.model_copy(update={"media_root": None})
        same = copy(self)
        same.contents = self.contents.model_copy(update={"manifest": manifest})
        return same

    def manifest_for(self, name: str, records: str) -> Manifest:
        """Of the collection that is made of it."""
        return self.contents.manifest.model_copy(update={"name": name, "records": records, "index": None})

    def unpack(self, folder: Path, records: str) -> None:
        """Put the records into a new file of that name and the media where they belong, durably and checked again."""
        media, kept = Media(folder), list[str]()
        with _reading(self._called), _opened(self.path) as archive:
            for member in archive:  # in their order: a look for each name would go through all of them
                if member.name == RECORDS:
                    self._unpack(archive, member, folder / records, self.contents.records)
                elif member.name != CONTENTS:
                    kept.append(name := member.name.removeprefix(f"{FOLDER}/"))
                    self._unpack(archive, member, media.prepare(name), digest_in(name))
            files.sync_directory(folder)
            media.sync(kept)

    def _unpack(self, archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path, expected: str) -> None:
        source = archive.extractfile(member)
        if source is None:
            raise SnapshotDamaged(f"{self._called} does not hold {member.name}")

        def fill(new: Path) -> None:
            with source, new.open("wb") as out:
                hashing = _Hashing(out)
                for chunk in _chunks(source):
                    hashing.write(chunk)
            if hashing.digest.hexdigest() != expected:
                raise SnapshotDamaged(f"the checksum of {member.name} in {self._called} is wrong")

        with files.storage(f"{target.name} cannot be written"):
            files.put(target, fill)


class _Hashing:
    """A file to write to that knows the checksum of what was written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._file.write(data)


class _Sparing(io.FileIO):
    """A file that is read a little at a time: what a header says of its own length is not to cost so much memory."""

    def read(self, size: int | None = -1) -> bytes | Any:
        if size is None or not 0 <= size <= CHUNK:
            raise ValueError(f"a part of it says that it has {size} bytes")
        return super().read(size)


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    with _Sparing(path) as file, tarfile.open(fileobj=file, mode="r:") as archive:
        yield archive


@contextmanager
def _reading(called: str) -> Iterator[None]:
    try:
        with files.storage(f"the snapshot {called} cannot be read"):
            yield
    except (tarfile.TarError, EOFError, ValueError, KeyError) as error:
        raise SnapshotDamaged(f"{called} is no whole snapshot: {error}") from error


def _verified(path: Path, called: str) -> str:
    """The checksum of the file up to its trailer, which has the same."""
    digest, left = hashlib.sha256(), path.stat().st_size - _TRAILER_BYTES
    with path.open("rb") as file:
        for chunk in _chunks(file, left):
            digest.update(chunk)
        trailer = file.read(_TRAILER_BYTES + 1)
    if left < 0 or trailer != _TRAILER % digest.hexdigest().encode():
        raise SnapshotDamaged(f"{called} is no snapshot, or it is damaged: its checksum is wrong")
    return digest.hexdigest()


def _names(archive: tarfile.TarFile, called: str) -> list[str]:
    names = list[str]()
    for member in archive:
        # Nothing but plain files of known names: no link, no path and no file with holes is ever followed.
        if member.type != tarfile.REGTYPE or member.sparse is not None or not _is_member(member.name):
            raise SnapshotDamaged(f"{called} holds {member.name[:80]!r}, which no snapshot does")
        names.append(member.name)
    if len(set(names)) != len(names):
        raise SnapshotDamaged(f"{called} holds a file twice")
    return names


def _is_member(name: str) -> bool:
    return name in (RECORDS, CONTENTS) or (name.startswith(f"{FOLDER}/") and is_name(name.removeprefix(f"{FOLDER}/")))


def _contents(archive: tarfile.TarFile, called: str) -> Contents:
    member = archive.extractfile(CONTENTS)
    try:
        return Contents.model_validate_json(member.read(MOST_CONTENTS) if member else b"")
    except ValidationError as error:
        reason = re.sub(r"\s+", " ", str(error))
        raise SnapshotDamaged(f"the {CONTENTS} of {called} cannot be used: {reason}") from None


def _chunks(file: IO[bytes], left: int | None = None) -> Iterator[bytes]:
    while (left is None or left > 0) and (chunk := file.read(CHUNK if left is None else min(CHUNK, left))):
        yield chunk
        left = None if left is None else left - len(chunk)


def _add(archive: tarfile.TarFile, name: str, path: Path) -> None:
    with path.open("rb") as file:
        member = tarfile.TarInfo(name)
        member.size = path.stat().st_size
        archive.addfile(member, file)


def _add_bytes(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))
