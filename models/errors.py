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
    """A model cannot be loaded, or not be used as it was asked to."""


class ModelFolderError(ModelError):
    """A model folder is missing, incomplete or contradicts itself."""


class CheckpointError(ModelError):
    """A checkpoint in the authors' layout is refused."""


class ConversionError(ModelError):
    """A checkpoint is fine, but the model folder cannot be made of it."""


class RegistryError(ModelError):
    """A file that lists published models cannot be used."""


class UnknownModel(ModelError):
    """No published model is called so."""


class ModelNotPulled(ModelError):
    """A published model that is not on this machine."""


class PullError(ModelError):
    """A published model cannot be brought here."""


class HubUnreachable(PullError):
    """No answer from the hub, or none that makes sense."""


class NotCached(PullError):
    """The hub may not be asked, and its cache does not have the file."""


class ModelGone(PullError):
    """The hub does not have the repository or the file."""


class AccessRefused(PullError):
    """The hub wants to know who asks, or does not give the file to them."""


class BrokenDownload(PullError):
    """The file did not arrive as the hub announced it."""


class NoSpace(PullError):
    """The disk is full, or would be."""


class UnexpectedModel(PullError):
    """What arrived is a model, but not the one that the registry describes."""


class DeviceOutOfMemory(ModelError):
    """The device has no memory for this batch; a smaller one may fit."""


class DeviceLost(ModelError):
    """The device has stopped to work; within this process nothing will bring it back."""


class EncoderEnded(ModelError):
    """The process that encodes has ended: before it was ready, or in the middle of this."""


class BranchError(ModelError):
    """A branch was asked for that the model does not have."""


class PrecisionError(ModelError):
    """The machine does not compute as it was asked to."""


class ImageError(Exception):
    """The image cannot be used."""


class UndecodableImage(ImageError):
    """The bytes are no image of a known kind."""


class DecodingStopped(AudioError, ImageError):
    """The process that decoded the file crashed, hung, or went over what decoding may take."""


class NoDecoder(Exception):
    """No process to decode in can be started."""
