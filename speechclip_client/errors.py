"""What can go wrong, as exceptions: one class for each `code` of the service, in families by what helps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class SpeechClipError(Exception):
    """The base of all exceptions here."""


class ServiceUnreachable(SpeechClipError):
    """There was no answer: nothing listens there, or the connection broke.

    sent: whether the request may have reached the service.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class OutOfTime(SpeechClipError):
    """The call's own deadline passed. The service may have done what was asked, or not."""


class UploadFailed(SpeechClipError):
    """A file could not be read, or was not as long as it said."""


class UnexpectedAnswer(SpeechClipError):
    """An answer in a shape that this service does not give: something else listens there, or a newer version."""


@dataclass(frozen=True)
class Finding:
    """One value that was refused: `field` is where it is, in the words of the request."""

    field: str
    detail: str


class Refusal(SpeechClipError):
    """The service answered with a problem (RFC 9457).

    code: stable, for programs; detail: for people; request_id: to find the request in the service's log;
    retry_after_s: how long the service asks to be left alone; progress: how far its start has come (`not_ready`).
    """

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after_s: float | None = None) -> None:
        self.status = status
        self.code = str(problem.get("code", ""))
        self.title = str(problem.get("title", ""))
        self.detail = str(problem.get("detail", ""))
        self.request_id = str(problem.get("request_id", ""))
        self.findings = tuple(_findings(problem.get("errors")))
        progress = problem.get("progress")
        self.progress: Mapping[str, Any] | None = progress if isinstance(progress, dict) else None
        self.retry_after_s = retry_after_s
        super().__init__(f"{self.detail or self.title} ({status} {self.code})")


class InvalidRequest(Refusal):
    """The request itself is wrong; sent again, it is refused again."""


class AccessDenied(Refusal):
    """Not with this API key, or not by this name of the service."""


class NotFound(Refusal):
    """What was named is not there."""


class Conflict(Refusal):
    """It does not fit to what is there."""


class Unavailable(Refusal):
    """Not now; later it may work. This has been tried several times already."""


class ServiceFailed(Refusal):
    """A mistake of the service; its log says more under `request_id`."""


class Malformed(InvalidRequest): ...


class DecodingStopped(InvalidRequest):
    """The file broke what decoded it, or took too long or too much memory."""


class RequestTimeout(InvalidRequest): ...


class BodyTooLarge(InvalidRequest): ...


class UnsupportedMedia(InvalidRequest): ...


class RangeNotSatisfiable(InvalidRequest): ...


class MethodNotAllowed(InvalidRequest): ...


class UpgradeRequired(InvalidRequest): ...


class InvalidParameter(InvalidRequest): ...


class BranchNotFound(InvalidRequest): ...


class KeyReused(InvalidRequest): ...


class SnapshotDamaged(InvalidRequest): ...


class AudioRefused(InvalidRequest):
    """Audio that can be read, but not searched with."""


class AudioTooLong(AudioRefused): ...


class AudioTooShort(AudioRefused): ...


class SilentAudio(AudioRefused): ...


class NonFiniteAudio(AudioRefused): ...


class Unauthorized(AccessDenied): ...


class Forbidden(AccessDenied): ...


class ForeignOrigin(AccessDenied): ...


class HostNotAllowed(AccessDenied): ...


class CollectionNotFound(NotFound): ...


class ItemNotFound(NotFound): ...


class MediaNotFound(NotFound): ...


class SnapshotNotFound(NotFound): ...


class ModelNotFound(NotFound): ...


class ModelMismatch(Conflict): ...


class CollectionExists(Conflict): ...


class CollectionNotYours(Conflict): ...


class NotSupported(Conflict):
    """The kind of store that the collection is in cannot do this."""


class Overloaded(Unavailable): ...


class RateLimited(Unavailable): ...


class NotReady(Unavailable): ...


class Draining(Unavailable): ...


class CollectionBusy(Unavailable): ...


class CollectionUnavailable(Unavailable): ...


class CollectionDamaged(Unavailable): ...


class DeadlineExceeded(Unavailable):
    """The service's own deadline passed."""


class NoDecoder(Unavailable):
    """No process that decodes could be started."""


class EncodingFailed(ServiceFailed): ...


class Internal(ServiceFailed): ...


BY_CODE: Mapping[str, type[Refusal]] = {
    "malformed": Malformed,
    "request_timeout": RequestTimeout,
    "body_too_large": BodyTooLarge,
    "unsupported_media": UnsupportedMedia,
    "decoding_stopped": DecodingStopped,
    "range_not_satisfiable": RangeNotSatisfiable,
    "method_not_allowed": MethodNotAllowed,
    "upgrade_required": UpgradeRequired,
    "invalid_parameter": InvalidParameter,
    "branch_not_found": BranchNotFound,
    "key_reused": KeyReused,
    "snapshot_damaged": SnapshotDamaged,
    "audio_too_long": AudioTooLong,
    "audio_too_short": AudioTooShort,
    "silent_audio": SilentAudio,
    "non_finite_audio": NonFiniteAudio,
    "unauthorized": Unauthorized,
    "forbidden": Forbidden,
    "foreign_origin": ForeignOrigin,
    "host_not_allowed": HostNotAllowed,
    "not_found": NotFound,
    "collection_not_found": CollectionNotFound,
    "item_not_found": ItemNotFound,
    "media_not_found": MediaNotFound,
    "snapshot_not_found": SnapshotNotFound,
    "model_not_found": ModelNotFound,
    "model_mismatch": ModelMismatch,
    "collection_exists": CollectionExists,
    "collection_not_yours": CollectionNotYours,
    "not_supported": NotSupported,
    "overloaded": Overloaded,
    "rate_limited": RateLimited,
    "not_ready": NotReady,
    "draining": Draining,
    "collection_busy": CollectionBusy,
    "collection_unavailable": CollectionUnavailable,
    "collection_damaged": CollectionDamaged,
    "deadline_exceeded": DeadlineExceeded,
    "no_decoder": NoDecoder,
    "encoding_failed": EncodingFailed,
    "internal": Internal,
}

_BY_STATUS: Mapping[int, type[Refusal]] = {
    401: AccessDenied,
    403: AccessDenied,
    404: NotFound,
    409: Conflict,
    429: Unavailable,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
    """The exception for an answer that is an error; one without a problem is that of a proxy in between."""
    problem = _problem(body)
    family = InvalidRequest if status < 500 else ServiceFailed
    kind = BY_CODE.get(str(problem.get("code")), _BY_STATUS.get(status, family))
    return kind(status, problem, _seconds(headers.get("retry-after")))


def _problem(body: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(body)
    except (ValueError, RecursionError):
        problem = None
    if isinstance(problem, dict) and "code" in problem:
        return problem
    return {"detail": f"an answer without a problem: {body[:200].decode(errors='replace')}"}


def _findings(errors: object) -> list[Finding]:
    listed = errors if isinstance(errors, list) else []
    return [Finding(str(one.get("field", "")), str(one.get("detail", ""))) for one in listed if isinstance(one, dict)]


def _seconds(header: str | None) -> float | None:
    """`Retry-After` in seconds, which is all that this service sends; a date, as of some proxies, is passed over."""
    return float(header) if header is not None and header.isascii() and header.isdigit() else None
