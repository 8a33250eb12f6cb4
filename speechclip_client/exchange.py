"""What the synchronous and the asynchronous client have in common."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import httpx2

from speechclip_client.calls import Call
from speechclip_client.errors import (
    BodyTooLarge,
    NotFound,
    NotSupported,
    OutOfTime,
    ServiceUnreachable,
    SpeechClipError,
    UploadFailed,
    refusal,
)
from speechclip_client.results import Limits
from speechclip_client.retries import Attempts, Retries

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

CONNECT_S = 10.0
LARGE = 8 * 1024 * 1024


@dataclass(frozen=True)
class Service:
    """Where the service is, and how patient its clients are."""

    url: str
    api_key: str | None = field(repr=False)
    deadline_s: float
    slow_deadline_s: float
    retries: Retries

    def __post_init__(self) -> None:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError(f"{self.url!r} is no address of a service, such as http://127.0.0.1:8000")

    def attempts(self, call: Call[Any], retries: Retries | None = None, most_s: float = math.inf) -> Attempts:
        deadline_s = min(most_s, self.slow_deadline_s if call.slow else self.deadline_s)
        return Attempts(retries or self.retries, deadline_s, repeatable=call.repeatable, once=call.once)

    def request(self, call: Call[Any], left_s: float) -> dict[str, Any]:
        """What both `build_request`s take, but for the content. Raises `UploadFailed`."""
        headers = dict(call.headers)
        if self.api_key is not None:
            headers["Authorization"] = f"Bearer {self.api_key}"
        if call.body is not None:
            headers["Content-Type"] = call.body.content_type
            if (length := call.body.length) is not None:
                headers["Content-Length"] = str(length)
        return {
            "method": call.method,
            "url": self.url.rstrip("/") + call.path,
            "params": call.params or None,
            "headers": headers,
            "timeout": httpx2.Timeout(left_s, connect=min(left_s, CONNECT_S)),
        }


def is_large(call: Call[Any]) -> bool:
    """Whether the service is asked first if it takes so much.

    A refusal that overtakes a long body is lost where the service closes the connection before all of it is sent.
    """
    return call.body is not None and (call.body.length or 0) > LARGE


def require_room(call: Call[Any], limits: Limits) -> None:
    """Raise `BodyTooLarge` where the service would."""
    length = (call.body.length or 0) if call.body is not None else 0
    rooms = {
        "query": limits.max_body_bytes,
        "batch": limits.max_batch_bytes,
        "snapshot": limits.max_snapshot_bytes,
    }
    most = rooms[call.carries]
    if length > most:
        detail = f"The body of {length} bytes is larger than the {most} bytes that the service takes."
        raise BodyTooLarge(413, {"code": "body_too_large", "title": "The body is too large", "detail": detail})


def read_answer(call: Call[T], response: httpx2.Response, body: bytes, attempts: Attempts) -> T:
    """Raises `Refusal` for whatever is no success."""
    if response.is_success:
        return call.read(body)
    error = refusal(response.status_code, response.headers, body)
    if call.method == "DELETE" and isinstance(error, NotFound) and attempts.may_have_worked:
        return call.read(b"")  # it was this call that deleted it
    raise error


def without_key(call: Call[T], error: NotSupported) -> Call[T]:
    """The same batch for a store that remembers no keys; raises the error of every other call."""
    if not (call.own_key and call.repeatable):
        raise error
    return replace(call, headers={}, own_key=False)


def failure(error: httpx2.TransportError, url: str) -> SpeechClipError:
    """What a broken exchange means for the caller."""
    told = str(error) or type(error).__name__
    match error:
        case httpx2.ConnectError() | httpx2.ConnectTimeout():
            return ServiceUnreachable(f"nothing answers at {url}: {told}", sent=False)
        case httpx2.TimeoutException():
            return OutOfTime(f"{url} did not answer in time")
        case httpx2.LocalProtocolError():
            return UploadFailed(f"the request could not be sent: {told}")
        case _:
            return ServiceUnreachable(f"the connection to {url} broke: {told}", sent=True)


def signed(method: F, build: Callable[..., Any]) -> F:
    """The method with the name, the help and the signature of the function that makes its call."""
    parameters = inspect.signature(build).parameters.values()
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__name__, method.__doc__ = build.__name__, build.__doc__
    method.__signature__ = inspect.Signature([itself, *parameters])  # type: ignore[attr-defined]
    return method
