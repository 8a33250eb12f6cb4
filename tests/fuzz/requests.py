"""Requests as bytes: everything that HTTP allows, and what it does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

T = TypeVar("T")
Rng = np.random.Generator

HOST = b"127.0.0.1"


@dataclass(frozen=True)
class Request:
    """One request. `head`, if given, is sent in place of the request line and headers that the rest would make.

    family: what kind of attack it is. whole: nothing is missing from it, so that an answer has to come.
    """

    family: str
    method: bytes
    target: bytes
    body: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = field(default_factory=list)
    head: bytes | None = None
    whole: bool = True

    def wire(self) -> bytes:
        """What is sent."""
        if self.head is not None:
            return self.head + self.body
        given = {name.lower() for name, _ in self.headers}
        headers = list(self.headers)
        if b"host" not in given:
            headers.insert(0, (b"Host", HOST))
        if not given & {b"content-length", b"transfer-encoding"} and (self.body or self.method != b"GET"):
            headers.append((b"Content-Length", b"%d" % len(self.body)))
        lines = [b"%s %s HTTP/1.1" % (self.method, self.target), *(b"%s: %s" % pair for pair in headers)]
        return b"\r\n".join([*lines, b"", self.body])


Maker = Callable[[Rng], Request]


def pick(rng: Rng, values: Sequence[T]) -> T:
    return values[int(rng.integers(len(values)))]
