"""The manifest of a collection: what it is, and which index file belongs to it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from index.durable import files
from index.errors import CollectionDamaged
from index.large.recipes import RecipeName

FILE_NAME = "manifest.json"

Kind = Literal["images", "captions", "keywords", "audio"]

_REMEDY = "restore the collection's folder from a copy, or delete the collection and index its items again"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Positive = Annotated[int, Field(ge=1)]


class IndexFile(_Part):
    """The index over all records up to sequence number `seq`."""

    seq: Annotated[int, Field(ge=0)]
    count: Annotated[int, Field(ge=0)]
    sha256: Digest

    @property
    def name(self) -> str:
        return f"index-{self.seq}.faiss"


class Setting(_Part):
    """How far a search goes."""

    nprobe: Positive | None = None
    """Lists to read, of an index with lists."""
    ef: Positive | None = None
    """Candidates to follow, of a graph."""
    depth: Positive = 1
    """Candidates for every record that is asked for; the best of them are found with their full vectors."""


class Built(_Part):
    """An index that finds nearly all of the nearest, with what was measured when it was built."""

    recipe: RecipeName
    sha256: Digest
    setting: Setting
    recall: Annotated[float, Field(ge=0, le=1)]
    """Recall@10 against exact search."""
    queries: Positive
    """How many queries that was measured with."""
    ms: Annotated[float, Field(ge=0)]
    """CPU milliseconds of one search."""
    exact_ms: Annotated[float, Field(ge=0)]
    """The same for a comparison with every vector."""


class BaseFiles(_Part):
    """All full vectors up to sequence number `seq`, and the index over them once it is built."""

    seq: Annotated[int, Field(ge=0)]
    count: Positive
    vectors: Digest
    """SHA-256 of their file."""
    built: Built | None = None

    @property
    def vectors_name(self) -> str:
        return f"vectors-{self.seq}-{self.vectors[:8]}.f32"

    @property
    def index_name(self) -> str | None:
        return None if self.built is None else f"index-{self.seq}-{self.built.sha256[:8]}.faiss"


class Manifest(_Part):
    """What never changes in a collection, and the last index file written, if any."""

    format: Literal[1] = 1
    name: Annotated[str, Field(min_length=1)]
    kind: Kind
    dim: Annotated[int, Field(ge=1, le=65536)]
    fingerprint: Annotated[str, Field(min_length=1)]
    """SHA-256 of the model that made the vectors, hex."""
    media_root: str | None = None
    records: Annotated[str, Field(pattern=r"^records(-[0-9]{1,9})?\.sqlite$")] = "records.sqlite"
    """The file of the records: compacting and restoring write another one, and the manifest changes over to it."""
    recipe: RecipeName = "Flat"
    """What the index is to be: `Flat` compares every vector, from memory."""
    recall: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Recall@10 that an index of any other recipe has to reach."""
    index: IndexFile | BaseFiles | None = None
    """A `BaseFiles` where the recipe is not `Flat`."""

    def write(self, folder: Path) -> None:
        """Replace the folder's manifest, durably."""
        content = self.model_dump()
        text = json.dumps({**content, "checksum": _checksum(content)}, indent=2) + "\n"
        files.replace(folder / FILE_NAME, lambda path: _write_text(path, text))

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises `CollectionDamaged` unless it is exactly what `write` wrote for this folder."""
        try:
            content = json.loads((folder / FILE_NAME).read_bytes())
            _check_format(content)
            if content.pop("checksum", None) != _checksum(content):
                raise ValueError("its checksum is wrong")
            manifest = cls.model_validate(content)
        except FileNotFoundError:
            raise CollectionDamaged(f"collection {folder.name!r} has no {FILE_NAME}: {_REMEDY}") from None
        except (ValueError, RecursionError) as error:
            raise CollectionDamaged(f"the {FILE_NAME} of {folder.name!r} is damaged: {error}; {_REMEDY}") from error
        if manifest.name != folder.name:
            raise CollectionDamaged(
                f"the folder {folder.name!r} holds the collection {manifest.name!r}: give it back its name"
            )
        return manifest


def _check_format(content: object) -> None:
    if not isinstance(content, dict):
        raise ValueError("it is not an object")
    if content.get("format") != 1:
        raise ValueError(f"it is of format {content.get('format')!r}, this version reads format 1")


def _checksum(content: JsonValue) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
