"""What every answer must be, whatever was asked: one that the description of the API knows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.fuzz.requests import Request
from tests.fuzz.service import Answer

Json = Mapping[str, Any]

NO_OPERATION = frozenset({"not_found", "method_not_allowed"})
"""Codes of paths that only look like one of the description."""
FAILURES = frozenset({501, 503, 504})
"""Statuses from 500 on that are no mistake of the service."""
PROBLEM = {"type", "title", "status", "detail", "instance", "code", "request_id"}


class Description:
    """What `/openapi.json` promises."""

    def __init__(self, document: Json) -> None:
        self._codes = {(one["status"], one["code"]) for one in document["x-problems"]}
        self._operations = [
            (re.compile(f"(/v1)?{_pattern(path)}"), method.upper(), {int(status) for status in operation["responses"]})
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
            if method != "parameters"
        ]

    def findings(self, request: Request, answer: Answer | None) -> Iterator[str]:
        """Everything that is wrong with the answer."""
        if answer is None:
            if request.whole:
                yield "no answer"
            return
        code = code_of(answer)
        if answer.status >= 500 and answer.status not in FAILURES:
            yield f"{answer.status} {code}"
        if answer.status >= 400 and request.method.upper() != b"HEAD":
            yield from self._problem(answer)
        if request.head is None and code not in NO_OPERATION:
            yield from self._undocumented(request, answer.status)

    def _problem(self, answer: Answer) -> Iterator[str]:
        if answer.headers["content-type"] != "application/problem+json":
            yield f"{answer.status} is no problem but {answer.headers['content-type']}"
            return
        problem = json.loads(answer.body)
        if missing := PROBLEM - problem.keys():
            yield f"{answer.status} lacks {sorted(missing)}"
        elif (answer.status, problem["code"]) not in self._codes or problem["status"] != answer.status:
            yield f"{answer.status} {problem['code']} is not in the description"
        elif problem["request_id"] != answer.headers["x-request-id"]:
            yield "the problem has another request_id than the answer"

    def _undocumented(self, request: Request, status: int) -> Iterator[str]:
        path = request.target.split(b"?")[0].decode("latin-1")
        method = request.method.decode().upper()
        for pattern, known, statuses in self._operations:
            if known == ("GET" if method == "HEAD" else method) and pattern.fullmatch(path):
                # What is between two operations with the same shape of path may be an answer of either.
                if status not in statuses:
                    yield f"{known} {pattern.pattern} answers {status}, which is not described"
                return


def code_of(answer: Answer) -> str:
    """The code of a problem, or nothing."""
    if answer.headers["content-type"] != "application/problem+json" or not answer.body:
        return ""
    return str(json.loads(answer.body).get("code", ""))


def _pattern(path: str) -> str:
    return re.sub(r"\\\{(\w+)\\\}", lambda name: ".+" if name[1] == "id" else "[^/]+", re.escape(path))
