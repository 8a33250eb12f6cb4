"""Every exception of the package. Messages are written for whoever sent the file: what is wrong, and by how much."""

from __future__ import annotations


class AudioError(Exception):
    """The audio cannot be used."""


class UndecodableAudio(AudioError):
    """No audio file of a known kind, or nothing in it could be decoded, or it is built to cost too much."""


class NoAudioStream(AudioError):
    """A media file, but without sound: a film with no soundtrack."""


class SilentAudio(AudioError):
    """No sample is louder than nothing at all."""


class AudioTooShort(AudioError):
    """Less than a spoken sound."""


class AudioTooLong(AudioError):
    """More seconds than are allowed."""


class NonFiniteAudio(AudioError):
    """Samples that are no numbers, or infinite."""


class ModelError(Exception):
    """A model cannot be loaded."""


class ModelFolderError(ModelError):
    """A model folder is missing, incomplete or contradicts itself."""


class CheckpointError(ModelError):
    """A checkpoint in the authors' layout is refused."""


class ImageError(Exception):
    """The image cannot be used."""


class UndecodableImage(ImageError):
    """The bytes are no image of a known kind."""
