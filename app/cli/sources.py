"""What `speechclip index` is pointed at, as records: which files, under which ids, and what cannot be used."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.cli.errors import CommandError
from app.requests import MAX_TEXT
from index.errors import InvalidRecord
from index.records import MAX_ID_CHARACTERS, Record, check_id

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"})
TEXT_SUFFIX = ".txt"
MAX_TEXT_FILE = 256 * 1024 * 1024  # bytes

Skip = Callable[[str, str], None]
"""(what is skipped, why)"""


@dataclass(frozen=True)
class Found:
    """Either `images`, with the deepest folder `root` that holds them all, or `texts`; absolute, each once."""

    images: Sequence[Path]
    texts: Sequence[Path]
    root: Path


def find(sources: Sequence[Path]) -> Found:
    """The files behind the arguments: folders are searched for images to any depth, in the order of their names.

    Raises `CommandError` for a source that is not there, for nothing at all, and for images and texts together.
    """
    images, texts, roots = dict[Path, None](), dict[Path, None](), list[Path]()
    for source in sources:
        if source.is_dir():
            roots.append(source.resolve())
            images.update(dict.fromkeys(_images_below(source.resolve())))
        elif source.is_file():
            # The file itself may be a link: its name here is its own, whatever it points at.
            path = source.parent.resolve() / source.name
            roots.append(path.parent)
            (texts if path.suffix.lower() == TEXT_SUFFIX else images)[path] = None
        else:
            raise CommandError(f"there is no file or folder {source}")
    if images and texts:
        raise CommandError("images and texts do not go into one collection: index them into two")
    if not images and not texts:
        raise CommandError(f"there are no images here; they are known by {', '.join(sorted(IMAGE_SUFFIXES))}")
    return Found(list(images), list(texts), Path(os.path.commonpath(roots)))


def image_records(paths: Iterable[Path], root: Path, skip: Skip) -> Iterator[tuple[Record, Path]]:
    """A record for every image, named by its path below `root`; when the file changes, so does its record."""
    for path in paths:
        name = path.relative_to(root).as_posix()
        try:
            check_id(name)
            status = path.stat()
        except InvalidRecord as error:
            skip(name, str(error))
        except OSError as error:
            skip(name, error.strerror or str(error))
        else:
            yield Record(name, name, path.stem, {"bytes": status.st_size, "modified": status.st_mtime}), path


def text_records(paths: Iterable[Path], skip: Skip) -> Iterator[Record]:
    """A record for every different line that is not empty, named by the text itself, or its digest if it is long."""
    seen = set[str]()
    for path in paths:
        for number, line in enumerate(_lines(path, skip), start=1):
            text = " ".join(line.split())
            if len(text) > MAX_TEXT:
                skip(f"{path.name}:{number}", f"the line has {len(text)} characters; {MAX_TEXT} are the most")
            elif text and text not in seen:
                seen.add(text)
                id = text if len(text) <= MAX_ID_CHARACTERS else hashlib.sha256(text.encode()).hexdigest()
                yield Record(id, None, text)


def _images_below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        paths = (Path(parent, name) for name in sorted(names))
        # Not pipes and sockets, whatever they are called: opening one can wait for ever.
        yield from (path for path in paths if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())


def _lines(path: Path, skip: Skip) -> list[str]:
    try:
        if path.stat().st_size > MAX_TEXT_FILE:
            skip(str(path), f"it is larger than {MAX_TEXT_FILE} bytes")
            return []
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        skip(str(path), "it is not UTF-8 text")
    except OSError as error:
        skip(str(path), error.strerror or str(error))
    return []
