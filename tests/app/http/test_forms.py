"""Multipart bodies, in whatever pieces they come."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request
from starlette.types import Message

from app.errors import Malformed
from app.http.forms import MAX_FIELD_BYTES, MAX_FIELDS, Part, read_form

BODY = (
    b'--x\r\nContent-Disposition: form-data; name="top_k"\r\n\r\n5\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    b"\r\n-- x is no boundary\x00\xff\r\n--x--\r\n"
)
PARTS = [
    Part("top_k", False, bytearray(b"5")),
    Part("file", True, bytearray(b"\r\n-- x is no boundary\x00\xff"), "a.wav"),
]


def parts_of(body: bytes, size: int = 1 << 20, content_type: str = "multipart/form-data; boundary=x") -> list[Part]:
    pieces = [body[start : start + size] for start in range(0, len(body), size)] or [b""]

    async def receive() -> Message:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", content_type.encode())]}
    return asyncio.run(read_form(Request(scope, receive)))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1 << 20])
def test_a_form_reads_the_same_in_any_pieces(size: int) -> None:
    assert parts_of(BODY, size) == PARTS


def test_a_form_that_breaks_off_anywhere_is_malformed() -> None:
    for length in range(len(BODY) - len(b"--\r\n")):
        with pytest.raises(Malformed):
            parts_of(BODY[:length])


def field_of(name: bytes, data: bytes = b"1") -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="' + name + b'"\r\n\r\n' + data + b"\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"".join(field_of(b"f%d" % number) for number in range(MAX_FIELDS + 1)) + b"--x--",
        field_of(b"f", bytes(MAX_FIELD_BYTES + 1)) + b"--x--",
        field_of(b"\xff") + b"--x--",
        b"--x\r\n\r\n1\r\n--x--",
        b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--",
        b"--x\r\n" + b"A: b\r\n" * 1000 + b"\r\n1\r\n--x--",
        b"--x\r\nA: " + bytes(100_000) + b"\r\n\r\n1\r\n--x--",
    ],
)
def test_more_than_a_query_has_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        parts_of(body)


@pytest.mark.parametrize("boundary", ["", "; boundary=", "; boundary=" + "x" * 10_000])
def test_a_form_has_a_boundary(boundary: str) -> None:
    with pytest.raises(Malformed):
        parts_of(BODY, content_type=f"multipart/form-data{boundary}")
