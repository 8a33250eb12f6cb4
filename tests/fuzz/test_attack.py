"""A short attack; `python -m tests.fuzz` makes a long one."""

from __future__ import annotations

import json
from http.client import HTTPMessage
from pathlib import Path

import pytest

from tests.fuzz.attack import Attack, request_of
from tests.fuzz.checks import Description
from tests.fuzz.makers import SHARES
from tests.fuzz.requests import Request
from tests.fuzz.service import Answer, Service

REQUESTS = 500
MOST_GROWTH = 64
"""MiB, of the service after the first tenth of an attack."""


def test_hostile_requests_get_nothing_but_answers_that_are_described(service: Service, tmp_path: Path) -> None:
    report = Attack(service, REQUESTS, seed=5, keep=tmp_path / "found").run()

    assert report.findings == []
    assert sum(report.answers.values()) == REQUESTS
    assert len(report.families) == len(SHARES) + 1  # files are audio or images
    assert {200, 400, 404, 405, 415, 422} <= {status for status, _ in report.answers}
    (_, (before, _)), (_, (after, _)) = report.memory[0], report.memory[-1]
    assert after - before < MOST_GROWTH


def test_an_attack_can_be_repeated() -> None:
    for number in range(50):
        assert request_of(3, number).wire() == request_of(3, number).wire()
    assert request_of(3, 0).wire() != request_of(4, 0).wire()


PROBLEM = {
    "type": "/docs#invalid_parameter",
    "title": "title",
    "status": 422,
    "detail": "detail",
    "instance": "/",
    "code": "invalid_parameter",
    "request_id": "1",
}


def answer(status: int = 422, kind: str = "application/problem+json", **changes: object) -> Answer:
    headers = HTTPMessage()
    headers["content-type"], headers["x-request-id"] = kind, "1"
    content = {name: value for name, value in {**PROBLEM, "status": status, **changes}.items() if value is not None}
    return Answer(status, headers, json.dumps(content).encode())


@pytest.mark.parametrize(
    ("wrong", "finding"),
    [
        (None, "no answer"),
        (answer(500, code="internal"), "500 internal"),
        (answer(kind="text/plain"), "no problem but text/plain"),
        (answer(title=None), r"lacks \['title'\]"),
        (answer(code="invented"), "422 invented is not in the description"),
        (answer(request_id="2"), "another request_id"),
        (answer(202, "application/json"), "GET .*/livez answers 202, which is not described"),
    ],
)
def test_what_is_wrong_is_found(service: Service, wrong: Answer | None, finding: str) -> None:
    description = Description(service.json("/openapi.json"))
    found = list(description.findings(Request("x", b"GET", b"/livez"), wrong))

    assert found
    with pytest.raises(AssertionError, match=finding):
        raise AssertionError(" ".join(found))
