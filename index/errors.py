"""Every exception of the package. A caller that wants them all catches `CollectionError`."""

from __future__ import annotations

from collections.abc import Sequence


class CollectionError(Exception):
    """The base of them all; raised itself only for a collection used after it was closed."""


class CollectionNotFound(CollectionError):
    """No collection of that name."""


class CollectionExists(CollectionError):
    """A collection of that name is already there."""


class CollectionDamaged(CollectionError):
    """What is on disk is not what was written, and it cannot be derived again from the rest."""


class CollectionLocked(CollectionError):
    """The collection is open somewhere else, in this process or another."""


class StorageFailed(CollectionError):
    """The disk refused: full, read-only or failing. What was stored before is untouched."""


class InvalidFilter(CollectionError):
    """What is no filter: `reason`, of what is at `pointer`, a JSON pointer (RFC 6901) that is empty for the whole."""

    def __init__(self, reason: str, at: Sequence[str | int] = ()) -> None:
        """at: the keys and places that lead to the fault."""
        self.pointer = "".join("/" + str(step)[:80].replace("~", "~0").replace("/", "~1") for step in at)
        self.reason = reason
        super().__init__(f"{self.pointer or 'the filter'} {reason}")


class InvalidName(CollectionError):
    """Not a name a collection may have."""


class InvalidRecord(CollectionError):
    """A record that cannot be stored."""


class InvalidVector(CollectionError):
    """A vector that is not finite and of unit length, or vectors in an array of the wrong shape."""


class ItemNotFound(CollectionError):
    """No record of that id in the collection."""


class ModelMismatch(CollectionError):
    """A vector, or a model, that is not of the kind that made the collection."""


class BatchKeyReused(CollectionError):
    """Another batch was stored under the key that this one comes with."""


class SnapshotDamaged(CollectionError):
    """A file that is no snapshot, or not as it was written."""


class InvalidAddress(CollectionError):
    """Not an address that a store can have."""


class ExtraMissing(CollectionError):
    """The packages of an optional part are not installed."""


class ServerUnreachable(StorageFailed):
    """The server that has the collections did not answer in time; it may do so again."""


class NotSupported(CollectionError):
    """Something that this kind of store cannot do."""


class InvalidRecipe(CollectionError):
    """No index of that recipe can be built of these records, or within that memory."""


class BuildFailed(CollectionError):
    """An index could not be built; the one there was stays."""


class RecallMissed(BuildFailed):
    """The index was built and finds less than was asked for."""
