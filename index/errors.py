"""Every exception of the package. A caller that wants them all catches `CollectionError`."""

from __future__ import annotations


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
