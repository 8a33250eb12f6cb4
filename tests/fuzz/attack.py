"""Sends hostile requests, as many as wanted, and tells what became of them."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.fuzz.checks import Description, code_of
from tests.fuzz.makers import make
from tests.fuzz.requests import Request
from tests.fuzz.service import Service

MOST_FINDINGS = 50
WARM_SHARE = 0.1
"""Of the requests, before memory is looked at for the first time: caches fill, and pools of threads."""


@dataclass
class Report:
    """What came of an attack."""

    requests: int
    seed: int
    seconds: float = 0.0
    answers: Counter[tuple[int, str]] = field(default_factory=Counter)
    families: Counter[str] = field(default_factory=Counter)
    findings: list[tuple[int, str]] = field(default_factory=list)
    memory: list[tuple[int, tuple[int, int]]] = field(default_factory=list)
    """After how many requests, MiB of the service and of the processes that it has started."""

    def lines(self) -> list[str]:
        """As Markdown."""
        rows = [
            f"| {status or 'none'} | {code} | {count:,} |" for (status, code), count in sorted(self.answers.items())
        ]
        found = [f"- {number}: {what}" for number, what in self.findings]
        memory = ", ".join(f"{own} + {others} after {done:,}" for done, (own, others) in self.memory)
        return [
            f"{self.requests:,} requests, seed {self.seed}, {self.seconds:,.0f} s; "
            + ", ".join(f"{name} {count:,}" for name, count in sorted(self.families.items())),
            "",
            "| status | code | answers |",
            "|---|---|---|",
            *rows,
            "",
            f"memory in MiB, of the service + its decoders: {memory}",
            f"findings: {len(self.findings)}",
            *found[:MOST_FINDINGS],
        ]


def request_of(seed: int, number: int) -> Request:
    """The same for the same numbers."""
    return make(np.random.default_rng([seed, number]))


class Attack:
    """`clients` ask at one time; `first` is the number of the first request.

    What an answer has wrong with it is kept in the folder `keep`, if one is given.
    """

    def __init__(
        self, service: Service, requests: int, seed: int, clients: int = 4, keep: Path | None = None, first: int = 0
    ) -> None:
        self._service, self._clients, self._keep = service, clients, keep
        self._description = Description(service.json("/openapi.json"))
        self._numbers = itertools.count(first)
        self._end = first + requests
        self._lock = threading.Lock()
        self.report = Report(requests, seed)

    def run(self, told: Callable[[int], object] = lambda done: None) -> Report:
        """Until all are sent, or the service is gone."""
        started = time.monotonic()
        with ThreadPoolExecutor(self._clients) as pool:
            for client in [pool.submit(self._client, told) for _ in range(self._clients)]:
                client.result()
        self.report.seconds = time.monotonic() - started
        self._look_at_memory(self.report.requests)
        return self.report

    def _client(self, told: Callable[[int], object]) -> None:
        while self._service.alive:
            with self._lock:
                number = next(self._numbers)
            if number >= self._end:
                return
            self._send(number)
            if number and number % max(1, int(self.report.requests * WARM_SHARE)) == 0:
                self._look_at_memory(number)
                told(number)
        self._found(-1, None, "the service is gone")

    def _send(self, number: int) -> None:
        request = request_of(self.report.seed, number)
        try:
            answer = self._service.ask(request)
        except (OSError, http.client.HTTPException) as error:
            self._found(number, request, f"{type(error).__name__}: {error}")
            return
        with self._lock:
            self.report.families[request.family] += 1
            self.report.answers[(0, "") if answer is None else (answer.status, code_of(answer))] += 1
        for finding in self._description.findings(request, answer):
            self._found(number, request, finding)

    def _found(self, number: int, request: Request | None, what: str) -> None:
        with self._lock:
            self.report.findings.append((number, what))
        if self._keep is not None and request is not None:
            self._keep.mkdir(parents=True, exist_ok=True)
            (self._keep / f"{number}.request").write_bytes(request.wire())
            (self._keep / f"{number}.json").write_text(json.dumps({"seed": self.report.seed, "finding": what}))

    def _look_at_memory(self, done: int) -> None:
        memory = self._service.memory()
        with self._lock:
            self.report.memory.append((done, memory))
