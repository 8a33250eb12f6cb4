"""The zip archive that a checkpoint is, read as strictly as torch writes it.

torch takes a tensor's bytes from where the archive says that they are. So an archive must say one thing only, whoever
reads it: one directory at the very end, every name once, nothing compressed, and no two members in the same place.
"""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from models.errors import CheckpointError

_MOST_PICKLED = 16 << 20  # bytes; the real ones have less than one megabyte, tensors not counted
_MOST_DIRECTORY = 16 << 20  # bytes; the real ones have about 200 kilobytes
_END, _END64, _LOCATOR = struct.Struct("<4s4H2LH"), struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
_LOCAL = struct.Struct("<4s5H3L2H")
_ENCRYPTED = 0x1
_BYTE_ORDER = b"little"


@dataclass(frozen=True)
class Archive:
    """pickled: what describes the content; sizes: of every member's data by its offset in the file, in bytes."""

    pickled: bytes
    sizes: Mapping[int, int]


def read_archive(path: Path) -> Archive:
    """The parts of a checkpoint; tensors are not read. Raises `CheckpointError`."""
    if not path.is_file():
        raise CheckpointError(f"no checkpoint {path}")
    try:
        with path.open("rb") as file:
            return _read_archive(file, path)
    # A name may be of no known encoding, a version of the far future, a pickle's checksum wrong, a size too large.
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, EOFError) as error:
        raise CheckpointError(f"{path} cannot be read: {str(error) or 'it ends too early'}") from error


def _read_archive(file: BinaryIO, path: Path) -> Archive:
    start, count = _directory(file, path)
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        pickled = _pickled(archive, path)
        _require_byte_order(archive, path)
    if len(entries) != count:
        raise CheckpointError(f"{path} is refused: its directory lists {len(entries)} files of {count}")
    return Archive(pickled, _sizes(file, entries, start, path))


def _directory(file: BinaryIO, path: Path) -> tuple[int, int]:
    """Where the directory begins and how many files it lists.

    It must end where the file does, so that every reader finds this one.
    """
    size = file.seek(0, os.SEEK_END)
    end, count, start, length = size - _END.size, 0, 0, -1
    if end >= 0:
        magic, *_, count, length, start, comment = _END.unpack(_read(file, end, _END.size))
        if magic != b"PK\5\6" or comment:
            length = -1
        elif end >= _LOCATOR.size + _END64.size:
            magic, _, end64, _ = _LOCATOR.unpack(_read(file, end - _LOCATOR.size, _LOCATOR.size))
            if magic == b"PK\6\7":
                end -= _LOCATOR.size + _END64.size
                magic, *_, count, length, start = _END64.unpack(_read(file, end, _END64.size))
                if magic != b"PK\6\6" or end64 != end:
                    length = -1
    if length < 0 or start + length != end:
        raise CheckpointError(f"{path} is not a complete zip archive: no checkpoint, or one that broke off")
    if length > _MOST_DIRECTORY:
        raise CheckpointError(f"{path} is refused: {length:,} bytes of directory are no checkpoint")
    return start, count


def _pickled(archive: zipfile.ZipFile, path: Path) -> bytes:
    found = [entry for entry in archive.infolist() if entry.filename.rpartition("/")[2] == "data.pkl"]
    if len(found) != 1:
        raise CheckpointError(f"{path} is not a checkpoint: it has {len(found)} files named data.pkl")
    if found[0].file_size > _MOST_PICKLED:
        raise CheckpointError(f"{path} is refused: {found[0].file_size:,} bytes of pickle are no checkpoint")
    _require_stored(found[0], path)
    return archive.read(found[0])


def _require_byte_order(archive: zipfile.ZipFile, path: Path) -> None:
    for entry in archive.infolist():
        if entry.filename.rpartition("/")[2] == "byteorder":
            _require_stored(entry, path)
            if entry.file_size != len(_BYTE_ORDER) or archive.read(entry) != _BYTE_ORDER:
                raise CheckpointError(f"{path} is refused: its numbers are not in little-endian order")


def _sizes(file: BinaryIO, entries: list[zipfile.ZipInfo], start: int, path: Path) -> dict[int, int]:
    sizes, names, free = dict[int, int](), set[str](), 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        _require_stored(entry, path)
        offset = _data_offset(file, entry, path)
        if entry.filename in names:
            raise CheckpointError(f"{path} is refused: it has {entry.filename} twice")
        if entry.header_offset < free or offset + entry.file_size > start:
            raise CheckpointError(f"{path} is refused: {entry.filename} is not where its directory says")
        sizes[offset] = entry.file_size
        names.add(entry.filename)
        free = offset + entry.file_size
    return sizes


def _require_stored(entry: zipfile.ZipInfo, path: Path) -> None:
    plain = entry.compress_type == zipfile.ZIP_STORED and not entry.flag_bits & _ENCRYPTED
    if not plain or entry.compress_size != entry.file_size:
        raise CheckpointError(f"{path} is refused: {entry.filename} is compressed, which torch never does")


def _data_offset(file: BinaryIO, entry: zipfile.ZipInfo, path: Path) -> int:
    header = _read(file, entry.header_offset, _LOCAL.size)
    if len(header) == _LOCAL.size:
        magic, *_, name_length, extra_length = _LOCAL.unpack(header)
        name = file.read(name_length)
        if magic == b"PK\3\4" and name == entry.orig_filename.encode("utf-8" if entry.flag_bits & 0x800 else "cp437"):
            return int(entry.header_offset + _LOCAL.size + name_length + extra_length)
    raise CheckpointError(f"{path} is refused: {entry.filename} is not where its directory says")


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)
