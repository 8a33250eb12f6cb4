"""Exceptions: one for every code that the service knows."""

from __future__ import annotations

import json

import pytest

from app.errors import ProblemKind
from app.openapi import problem_kinds
from speechclip_client import Refusal, SpeechClipError, errors
from speechclip_client.errors import (
    BY_CODE,
    AccessDenied,
    Conflict,
    InvalidRequest,
    NotFound,
    ServiceFailed,
    Unavailable,
)
from speechclip_client.errors import refusal as refusal_of

FAMILIES = {
    401: AccessDenied,
    403: AccessDenied,
    404: NotFound,
    409: Conflict,
    429: Unavailable,
    500: ServiceFailed,
    501: Conflict,
}
NEVER_HEARD = {"client_gone"}  # nobody is there to hear it


def problem(**fields: object) -> bytes:
    return json.dumps({"code": "overloaded", "status": 429, "title": "t", "detail": "d", **fields}).encode()


def test_every_code_of_the_service_has_a_class_and_no_other() -> None:
    assert set(BY_CODE) == {kind.code for kind in problem_kinds()} - NEVER_HEARD


def test_classes_are_named_as_the_codes() -> None:
    for code, kind in BY_CODE.items():
        assert kind.__name__ == "".join(word.capitalize() for word in code.split("_"))
        assert issubclass(kind, Refusal)


@pytest.mark.parametrize("kind", problem_kinds(), ids=lambda kind: kind.code)
def test_a_family_says_what_helps(kind: ProblemKind) -> None:
    if kind.code not in NEVER_HEARD:
        expected = FAMILIES.get(kind.status, Unavailable if kind.status > 500 else (InvalidRequest, AccessDenied))
        assert issubclass(BY_CODE[kind.code], expected)


def test_a_refusal_tells_all_that_the_problem_says() -> None:
    body = problem(request_id="r1", errors=[{"field": "top_k", "detail": "too large"}], progress={"done": 3})
    error = refusal_of(429, {"retry-after": "7"}, body)

    assert isinstance(error, errors.Overloaded)
    assert (error.status, error.code, error.title, error.detail, error.request_id) == (
        429,
        "overloaded",
        "t",
        "d",
        "r1",
    )
    assert error.findings == (errors.Finding("top_k", "too large"),)
    assert error.progress == {"done": 3}
    assert error.retry_after_s == 7
    assert str(error) == "d (429 overloaded)"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (502, b"<html>Bad Gateway</html>", Unavailable),
        (500, b"", ServiceFailed),
        (418, b"\xff\xfe", InvalidRequest),
        (404, b"[]", NotFound),
        (403, b"[" * 100_000, AccessDenied),
        (429, problem(code="of_tomorrow", errors="none", progress=[]), Unavailable),
    ],
)
def test_what_is_no_problem_known_here_is_judged_by_its_status(
    status: int, body: bytes, kind: type[SpeechClipError]
) -> None:
    assert type(refusal_of(status, {}, body)) is kind


@pytest.mark.parametrize("header", ["soon", "-1", "1.5", "٣", "Wed, 21 Oct 2026 07:28:00 GMT", ""])
def test_a_pause_in_another_form_is_passed_over(header: str) -> None:
    assert refusal_of(503, {"retry-after": header}, b"").retry_after_s is None
