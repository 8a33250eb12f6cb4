"""What `speechclip index` is pointed at: which kind of source each argument is, and what they are all together."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.bulk.embeddings import Embeddings, is_embeddings
from app.bulk.errors import SourceError
from app.bulk.folders import SUFFIXES, Folder, Single
from app.bulk.items import Found, Source
from app.bulk.parquet import ParquetTable
from app.bulk.rows import MEDIA
from app.bulk.tables import READERS, Table
from app.bulk.texts import Texts
from app.bulk.webdataset import WebDataset
from index.manifest import Kind

BY_SUFFIX: Mapping[str, Callable[[Path], Source]] = {
    ".txt": Texts,
    ".parquet": ParquetTable,
    ".tar": WebDataset,
    **dict.fromkeys(READERS, Table),
}
PACKED = (".gz", ".tgz", ".zst", ".bz2", ".xz", ".zip")


@dataclass(frozen=True)
class Sources:
    """All of them, each once.

    root: the deepest folder that holds all that paths start from, if any do; files: the deepest that holds the media
    themselves that were named, or whose folders were.
    """

    all: Sequence[Source]
    root: Path | None
    files: Path | None

    @property
    def dim(self) -> int | None:
        """How many numbers the vectors have that come from elsewhere; None if there are none."""
        return next((source.dim for source in self.all if isinstance(source, Embeddings)), None)

    def items(self, kind: Kind, root: Path | None) -> Generator[Found]:
        for source in self.all:
            yield from source.items(kind, root)

    def size(self) -> int:
        """The sum of all items' weights, nearly. Raises `OSError`."""
        return sum(source.size() for source in self.all)

    def kind(self, wanted: Kind | None, present: Kind | None) -> Kind:
        """What the items become: as wanted, or as in the collection that is there, or else what they most likely are.

        Raises `SourceError` for what cannot be that.
        """
        if wanted is None and present is not None and all(present in source.kinds for source in self.all):
            return present
        likely = {wanted or source.kinds[0] for source in self.all}
        if len(likely) > 1:
            raise SourceError(
                f"{_names(likely)} do not go into one collection: index them into two, or say with --kind what all are"
            )
        (kind,) = likely
        for source in self.all:
            if kind not in source.kinds:
                raise SourceError(f"{_what(source)} cannot be indexed as {kind}: choose --kind {_names(source.kinds)}")
        return kind


def find(paths: Sequence[Path]) -> Sources:
    """The sources behind the arguments. Raises `SourceError` for one that is not there or cannot be used."""
    found = dict.fromkeys(_located(path) for path in paths)
    try:
        sources = [_source(path) for path in found]
    except OSError as error:
        raise SourceError(f"{error.filename} cannot be read: {error.strerror or error}") from error
    if len(sources) > 1 and any(isinstance(source, Embeddings) for source in sources):
        raise SourceError("a folder of embeddings is indexed by itself")
    return Sources(sources, _common(sources), _common([one for one in sources if isinstance(one, Folder | Single)]))


def _common(sources: Sequence[Source]) -> Path | None:
    roots = [source.root for source in sources if source.root is not None]
    return Path(os.path.commonpath(roots)) if roots else None


def _located(path: Path) -> Path:
    if path.is_dir():
        return path.resolve()
    if not path.is_file():
        raise SourceError(f"there is no file or folder {path}")
    # The file itself may be a link: its name here is its own, whatever it points at.
    return path.parent.resolve() / path.name


def _source(path: Path) -> Source:
    if path.is_dir():
        return Embeddings(path) if is_embeddings(path) else Folder(path)
    suffix = path.suffix.lower()
    if suffix in PACKED:
        raise SourceError(f"{path} is compressed: unpack it first")
    return BY_SUFFIX.get(suffix, Single)(path)


def nothing_found(kind: Kind) -> SourceError:
    """For sources without a single item."""
    known = f"; they are known by {', '.join(sorted(SUFFIXES[kind]))}" if kind in MEDIA else ""
    return SourceError(f"there are no {kind} here{known}")


def _what(source: Source) -> str:
    return "images" if isinstance(source, Folder | Single) else "texts" if isinstance(source, Texts) else source.name


def _names(kinds: set[Kind] | Sequence[Kind]) -> str:
    return " or ".join(kinds) if isinstance(kinds, tuple) else " and ".join(sorted(kinds))
