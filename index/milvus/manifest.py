"""What never changes in a collection, and where Milvus keeps it: in the properties of its own collection."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from index.errors import CollectionDamaged, ModelMismatch
from index.manifest import Kind
from index.milvus.connection import Connection
from index.milvus.keys import LONGEST
from index.milvus.rows import MOST_BYTES

PROPERTY = "speechclip"
_PREFIX = "speechclip_"
_HYPHEN = "H"  # which Milvus does not take, and no name of ours has a capital


def physical(name: str) -> str:
    """What a collection is called in Milvus."""
    return _PREFIX + name.replace("-", _HYPHEN)


def logical(physical: str) -> str | None:
    """The way back; None for what belongs to others."""
    return physical.removeprefix(_PREFIX).replace(_HYPHEN, "-") if physical.startswith(_PREFIX) else None


class Manifest(BaseModel):
    """Written when the collection is made."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1] = 1
    name: str
    kind: Kind
    dim: Annotated[int, Field(ge=1, le=32768)]
    fingerprint: Annotated[str, Field(min_length=1)]
    media_root: str | None = None

    @property
    def vector_field(self) -> str:
        """Named after the model: a collection that was made anew for another one cannot be searched by mistake."""
        return f"vector_{hashlib.sha256(self.fingerprint.encode()).hexdigest()[:16]}"

    @property
    def root(self) -> Path | None:
        return None if self.media_root is None else Path(self.media_root)

    def require(self, fingerprint: str) -> None:
        """Raise `ModelMismatch` unless the vectors were made by this model."""
        if fingerprint != self.fingerprint:
            raise ModelMismatch(
                f"the vectors of collection {self.name!r} were made by model {self.fingerprint[:12]}, not by "
                f"{fingerprint[:12]}: use that model, or delete the collection and index its items again with this one"
            )

    @classmethod
    def read(cls, connection: Connection, name: str) -> Self:
        """Raises `CollectionNotFound`, and `CollectionDamaged` for a collection that something else has made."""
        found: Mapping[str, Any] = connection.call("describe_collection", physical(name))
        text = (found.get("properties") or {}).get(PROPERTY) or found.get("description") or ""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise CollectionDamaged(f"what Milvus has as {physical(name)!r} was not made by this version") from error

    def create(self, connection: Connection) -> None:
        """Make the collection, empty. Raises `StorageFailed`, also where there is one."""
        client, types = connection.pymilvus.MilvusClient, connection.pymilvus.DataType
        text = self.model_dump_json()
        schema = client.create_schema(auto_id=False, enable_dynamic_field=False, description=text)
        schema.add_field("key", types.VARCHAR, is_primary=True, max_length=LONGEST)
        schema.add_field("uri", types.VARCHAR, max_length=MOST_BYTES, nullable=True)
        schema.add_field("caption", types.VARCHAR, max_length=MOST_BYTES, nullable=True)
        schema.add_field("metadata", types.JSON)
        schema.add_field(self.vector_field, types.FLOAT_VECTOR, dim=self.dim)
        index = client.prepare_index_params()
        index.add_index(self.vector_field, index_type=connection.index, metric_type="IP")
        connection.call(
            "create_collection",
            physical(self.name),
            schema=schema,
            index_params=index,
            consistency_level="Strong",
            properties={PROPERTY: text},
        )
