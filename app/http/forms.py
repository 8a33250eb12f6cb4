"""Multipart forms, read into memory: their size is bounded already, and what people say is not written to disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import Request

from app.errors import Malformed

MAX_FILES = 1
MAX_FIELDS = 8
MAX_FIELD_BYTES = 4096


@dataclass
class Part:
    """One field of a form; a file if the sender gave it a file name, whichever."""

    name: str
    is_file: bool
    data: bytearray = field(default_factory=bytearray)
    file_name: str = ""
    """What the sender calls the file; empty if it does not say."""


async def read_form(request: Request, max_files: int = MAX_FILES) -> list[Part]:
    """The parts of a multipart body, in their order.

    Raises `Malformed` for a body that is none or breaks off, and for more or larger parts than it may have.
    """
    _, parameters = parse_options_header(request.headers["content-type"])
    form = _Form(parameters.get(b"boundary", b""), max_files)
    async for chunk in request.stream():
        form.feed(chunk)
    return form.finish()


class _Form:
    def __init__(self, boundary: bytes, max_files: int) -> None:
        self._max_files = max_files
        if not boundary:
            raise Malformed("The Content-Type of the form names no boundary.")
        self._parts: list[Part] = []
        self._files = 0
        self._ended = False
        self._header_name, self._header_value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._open_part,
                    "on_part_data": self._on_data,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise Malformed(f"The form cannot be read: {error}.") from None

    def feed(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise Malformed(f"The form cannot be read: {error}.") from None

    def finish(self) -> list[Part]:
        if not self._ended:
            raise Malformed("The form breaks off before its end.")
        return self._parts

    def _begin_part(self) -> None:
        self._headers = {}

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name, self._header_value = b"", b""

    def _open_part(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        file_name = options.get(b"filename", b"").decode(errors="replace")
        self._parts.append(Part(_name(options), b"filename" in options, file_name=file_name))
        self._files += b"filename" in options
        if self._files > self._max_files or len(self._parts) - self._files > MAX_FIELDS:
            files = "1 file" if self._max_files == 1 else f"{self._max_files} files"
            raise Malformed(f"A form has at most {files} and {MAX_FIELDS} other fields.")

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        part = self._parts[-1]
        part.data += data[start:end]
        if not part.is_file and len(part.data) > MAX_FIELD_BYTES:
            raise Malformed(f"The field {part.name[:40]!r} is longer than {MAX_FIELD_BYTES} bytes.")

    def _end(self) -> None:
        self._ended = True


def _name(options: Mapping[bytes, bytes]) -> str:
    try:
        return options[b"name"].decode()
    except (KeyError, UnicodeDecodeError):
        raise Malformed("A field of the form has no readable name.") from None
