"""One table, exception -> status and code, and the one shape every error has: ``application/problem+json``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from index import errors as index_errors
from models import errors as model_errors

MEDIA_TYPE = "application/problem+json"
LONGEST_RETRY_S = 60


class ServiceError(Exception):
    """A refusal of the service itself; the message is written for the person who sent the request."""

    def __init__(self, detail: str, *, errors: Sequence[Mapping[str, object]] = (), retry_after_s: int | None = None):
        super().__init__(detail)
        self.errors = errors
        self.retry_after_s = retry_after_s


class Unauthorized(ServiceError):
    """No API key, or one that is not known."""


class Forbidden(ServiceError):
    """A known API key that may not do this."""


class RateLimited(ServiceError):
    """More requests than the API key may send."""

    def __init__(self, detail: str, retry_after_s: int):
        super().__init__(detail, retry_after_s=retry_after_s)


class HostNotAllowed(ServiceError):
    """The service was addressed by a name that is not its own: what a page does that makes its name ours."""


class ForeignOrigin(ServiceError):
    """A page of somewhere else asks for a change."""


class Malformed(ServiceError):
    """The request cannot be read at all."""


class BodyTimeout(ServiceError):
    """The body did not arrive in time."""


class BodyTooLarge(ServiceError):
    """More bytes than the service takes."""


class UnsupportedMedia(ServiceError):
    """A body of a type, or an image in a format, that the service does not read."""


class InvalidParameter(ServiceError):
    """Readable, but with a value that makes no sense."""


class ItemsRefused(ServiceError):
    """Items of a batch that cannot be used; what the first one is refused for, the batch is refused for."""

    def __init__(self, detail: str, cause: Exception, errors: Sequence[Mapping[str, object]]):
        super().__init__(detail, errors=errors)
        self.cause = cause


class NotYours(ServiceError):
    """The service makes this collection itself, and would make it anew over what is put into it."""


class CollectionBusy(ServiceError):
    """The collection is being opened, perhaps its index derived again; or made, or deleted."""

    def __init__(self, name: str):
        detail = f"Collection {name[:80]!r} is being opened or changed; try again in a moment."
        super().__init__(detail, retry_after_s=2)


class SnapshotNotFound(ServiceError):
    """No snapshot of that name."""


class ModelNotFound(ServiceError):
    """Not the model that the service has."""


class MediaNotFound(ServiceError):
    """The record has no file that could be served."""


class Overloaded(ServiceError):
    """More work than the machine can carry. `after_s`: how long what is in front will take, as far as is known."""

    def __init__(
        self, detail: str = "The service has more queries than it can carry; try again in a moment.", after_s: float = 0
    ):
        super().__init__(detail, retry_after_s=min(LONGEST_RETRY_S, max(1, math.ceil(after_s))))


class NotReady(ServiceError):
    """The model or the collections are still being loaded, or could not be."""

    def __init__(self, detail: str, *, progress: Mapping[str, object] | None = None):
        super().__init__(detail, retry_after_s=2)
        self.progress = progress


class Draining(ServiceError):
    """The service is about to stop."""

    def __init__(self) -> None:
        super().__init__("The service is stopping and takes no new queries.", retry_after_s=5)


class DeadlineExceeded(ServiceError):
    """The answer took longer than the service allows itself."""


class ClientGone(ServiceError):
    """Nobody is waiting for the answer any more."""


class EncodingFailed(ServiceError):
    """The model broke on a query that it should have been able to encode."""


class ProblemKind(NamedTuple):
    """What an exception is over HTTP."""

    status: int
    code: str
    title: str


MOST_DETAILS = 20
INTERNAL = ProblemKind(500, "internal", "The service made a mistake")
CLIENT_GONE = ProblemKind(499, "client_gone", "The client went away")

PROBLEMS: Mapping[type[Exception], ProblemKind] = {
    Malformed: ProblemKind(400, "malformed", "The request cannot be read"),
    Unauthorized: ProblemKind(401, "unauthorized", "An API key is needed"),
    Forbidden: ProblemKind(403, "forbidden", "The API key is not for this"),
    RateLimited: ProblemKind(429, "rate_limited", "The API key has sent too many requests"),
    ForeignOrigin: ProblemKind(403, "foreign_origin", "Pages of other origins change nothing here"),
    HostNotAllowed: ProblemKind(421, "host_not_allowed", "The service is not called that"),
    BodyTimeout: ProblemKind(408, "request_timeout", "The body did not arrive in time"),
    BodyTooLarge: ProblemKind(413, "body_too_large", "The body is too large"),
    UnsupportedMedia: ProblemKind(415, "unsupported_media", "This type of content is not read here"),
    InvalidParameter: ProblemKind(422, "invalid_parameter", "A parameter has an impossible value"),
    ItemsRefused: ProblemKind(422, "invalid_parameter", "A parameter has an impossible value"),
    RequestValidationError: ProblemKind(422, "invalid_parameter", "A parameter has an impossible value"),
    ModelNotFound: ProblemKind(404, "model_not_found", "There is no such model here"),
    MediaNotFound: ProblemKind(404, "media_not_found", "There is no file behind this record"),
    SnapshotNotFound: ProblemKind(404, "snapshot_not_found", "There is no such snapshot"),
    NotYours: ProblemKind(409, "collection_not_yours", "The service makes this collection itself"),
    CollectionBusy: ProblemKind(503, "collection_busy", "The collection is being opened or changed"),
    Overloaded: ProblemKind(429, "overloaded", "Too much work at the moment"),
    NotReady: ProblemKind(503, "not_ready", "The service is not ready yet"),
    Draining: ProblemKind(503, "draining", "The service is stopping"),
    DeadlineExceeded: ProblemKind(504, "deadline_exceeded", "The answer took too long"),
    ClientGone: CLIENT_GONE,
    ClientDisconnect: CLIENT_GONE,
    EncodingFailed: ProblemKind(500, "encoding_failed", "The model failed on this query"),
    model_errors.AudioError: ProblemKind(415, "unsupported_media", "The audio cannot be read"),
    model_errors.SilentAudio: ProblemKind(422, "silent_audio", "There is no sound in the audio"),
    model_errors.AudioTooShort: ProblemKind(422, "audio_too_short", "The audio is too short"),
    model_errors.AudioTooLong: ProblemKind(422, "audio_too_long", "The audio is too long"),
    model_errors.NonFiniteAudio: ProblemKind(422, "non_finite_audio", "The audio holds samples that are no numbers"),
    model_errors.DecodingStopped: ProblemKind(422, "decoding_stopped", "Decoding the file was stopped"),
    model_errors.NoDecoder: ProblemKind(503, "no_decoder", "Nothing can be decoded at the moment"),
    model_errors.BranchError: ProblemKind(422, "branch_not_found", "The model has no such branch"),
    model_errors.ImageError: ProblemKind(415, "unsupported_media", "The image cannot be read"),
    index_errors.CollectionNotFound: ProblemKind(404, "collection_not_found", "There is no such collection"),
    index_errors.InvalidName: ProblemKind(404, "collection_not_found", "There is no such collection"),
    index_errors.CollectionExists: ProblemKind(409, "collection_exists", "There is another collection of that name"),
    index_errors.InvalidFilter: ProblemKind(422, "invalid_parameter", "A parameter has an impossible value"),
    index_errors.InvalidRecord: ProblemKind(422, "invalid_parameter", "A parameter has an impossible value"),
    index_errors.InvalidVector: ProblemKind(422, "invalid_parameter", "A parameter has an impossible value"),
    index_errors.BatchKeyReused: ProblemKind(422, "key_reused", "The Idempotency-Key was another batch's"),
    index_errors.SnapshotDamaged: ProblemKind(422, "snapshot_damaged", "The snapshot is damaged"),
    index_errors.ItemNotFound: ProblemKind(404, "item_not_found", "There is no such item"),
    index_errors.ModelMismatch: ProblemKind(409, "model_mismatch", "The collection was made with another model"),
    index_errors.NotSupported: ProblemKind(501, "not_supported", "The collection cannot do this"),
    index_errors.CollectionDamaged: ProblemKind(503, "collection_damaged", "The collection is damaged"),
    index_errors.CollectionError: ProblemKind(503, "collection_unavailable", "The collection cannot be used now"),
}

# Refusals of the framework: paths, methods, bodies of forms.
FRAMEWORK: Mapping[int, ProblemKind] = {
    400: PROBLEMS[Malformed],
    404: ProblemKind(404, "not_found", "There is nothing at this path"),
    405: ProblemKind(405, "method_not_allowed", "This path does not take this method"),
    426: ProblemKind(426, "upgrade_required", "This path is a WebSocket"),
    416: ProblemKind(416, "range_not_satisfiable", "The file has no such range"),
}


def kind_of(error: Exception) -> ProblemKind:
    """The row of the table for `error`; an exception that nobody planned for is an internal mistake."""
    if isinstance(error, HTTPException):
        return framework_kind(error.status_code)
    if isinstance(error, ItemsRefused):
        return kind_of(error.cause)
    return next((PROBLEMS[cls] for cls in type(error).__mro__ if cls in PROBLEMS), INTERNAL)


def framework_kind(status: int) -> ProblemKind:
    """The row for a bare HTTP status."""
    if status in FRAMEWORK:
        return FRAMEWORK[status]
    phrase = HTTPStatus(status).phrase
    return ProblemKind(status, phrase.lower().replace(" ", "_").replace("'", ""), phrase)


def problem(error: Exception, *, path: str, request_id: str) -> JSONResponse:
    """The answer to a request that ended in `error`."""
    body = problem_of(error, path=path, request_id=request_id)
    return JSONResponse(body, kind_of(error).status, _headers(error), MEDIA_TYPE)


def problem_of(error: Exception, *, path: str, request_id: str) -> dict[str, object]:
    """What there is to say of `error`, in the shape of RFC 9457."""
    kind = kind_of(error)
    body: dict[str, object] = {
        "type": f"/docs#{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": _detail(error, kind),
        "instance": path,
        "code": kind.code,
        "request_id": request_id,
    }
    if errors := _errors(error):
        body["errors"] = errors
    if isinstance(error, NotReady) and error.progress is not None:
        body["progress"] = error.progress
    return body


def problem_of_status(status: int, *, path: str, request_id: str) -> JSONResponse:
    """The answer where only a bare HTTP status is known."""
    return problem(HTTPException(status), path=path, request_id=request_id)


async def problem_handler(request: Request, error: Exception) -> JSONResponse:
    """What FastAPI calls for every exception of the table."""
    if isinstance(error, HTTPException) and isinstance(error.__cause__, (ServiceError, ClientDisconnect)):
        error = error.__cause__  # FastAPI calls everything that ends the reading of a body an error in that body
    request.state.problem_code = kind_of(error).code
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # The framework names the methods of the first route of this path, and each method has a route here.
        error.headers = {"Allow": ", ".join(_methods(request))}
    return problem(error, path=request.url.path, request_id=request.state.request_id)


def _methods(request: Request) -> Iterator[str]:
    """Those that have a route for the path of the request."""
    for method in ("GET", "POST", "PUT", "DELETE"):
        asked = {**request.scope, "method": method}
        if any(route.matches(asked)[0] is Match.FULL for route in request.app.routes):
            yield method


def details_of(error: ValidationError | RequestValidationError, *where: str) -> list[dict[str, object]]:
    """Pydantic's findings as ``{"field", "detail"}``; the refused values themselves are left out."""
    return [
        {
            "field": ".".join(str(part) for part in (*where, *found["loc"])),
            "detail": found["msg"].removeprefix("Value error, "),
        }
        for found in error.errors()[:MOST_DETAILS]
    ]


def _detail(error: Exception, kind: ProblemKind) -> str:
    if kind is INTERNAL:
        return "The service made a mistake; its log says more under this request_id."
    if isinstance(error, RequestValidationError):
        return "; ".join(f"{found['field']}: {found['detail']}" for found in details_of(error))
    if isinstance(error, HTTPException):
        return f"{kind.title}." if error.detail == HTTPStatus(error.status_code).phrase else error.detail
    return str(error) or kind.title


def _errors(error: Exception) -> Sequence[Mapping[str, object]]:
    if isinstance(error, RequestValidationError):
        return details_of(error)
    return error.errors if isinstance(error, ServiceError) else ()


def _headers(error: Exception) -> dict[str, str]:
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, HTTPException) and error.headers:
        headers |= error.headers
    if "GET" in (allowed := headers.get("Allow", "")):
        headers["Allow"] = f"{allowed}, HEAD"
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, ServiceError) and error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    return headers
