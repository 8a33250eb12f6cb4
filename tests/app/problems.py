"""The one shape of every error."""

from __future__ import annotations

from typing import Any

import httpx2


def assert_problem(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The answer is a complete problem of this kind; returns it."""
    assert answer.status_code == status, answer.text
    problem = assert_any_problem(answer)
    assert (problem["code"], problem["type"]) == (code, f"/docs#{code}")
    return problem


def assert_any_problem(answer: httpx2.Response) -> dict[str, Any]:
    """The answer is a complete problem of whatever kind; returns it."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "instance", "code", "request_id"} <= problem.keys()
    assert problem["status"] == answer.status_code
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert problem["title"]
    assert problem["detail"]
    return problem
