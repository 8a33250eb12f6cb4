"""Calls of the service: what is sent, and how the answer is read. Both clients make the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from speechclip_client.errors import UnexpectedAnswer
from speechclip_client.uploads import Body

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

VERSION = "/v1"


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request, which has the effect of one however often it is sent, but for those that are for `once`.

    read: the answer from its bytes; of a deletion, which has none, from an empty one. slow: may take minutes.
    once: done twice, it has another effect, so that it is not tried again where it may have been done. carries: what
    its body is, for which the service has limits of their own. own_key: whether it has an `Idempotency-Key` that
    nobody asked for.
    """

    method: str
    path: str
    read: Callable[[bytes], T]
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Body | None = None
    slow: bool = False
    once: bool = False
    carries: Literal["query", "batch", "snapshot"] = "query"
    own_key: bool = False

    @property
    def repeatable(self) -> bool:
        """Whether what it carries can be read again."""
        return self.body is None or self.body.replayable


def answer(shape: type[M]) -> Callable[[bytes], M]:
    """Reads an answer of this shape; raises `UnexpectedAnswer`."""

    def read(body: bytes) -> M:
        try:
            return shape.model_validate_json(body)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "the whole"
            raise UnexpectedAnswer(f"the answer is no {shape.__name__}: {where}: {first['msg']}") from error

    return read


def nothing(_: bytes) -> None:
    """Reads the answer that has nothing to tell."""


def path(*parts: str, id: str | None = None) -> str:
    """A path below `/v1`. An id at its end may hold whatever it likes, slashes and dots too.

    Raises ValueError for a name with a slash: no collection has one, and it would lead to another path.
    """
    if any("/" in part for part in parts):
        raise ValueError(f"{'/'.join(parts[1:])!r} is no name of a collection")
    return "/".join([VERSION, *map(_segment, parts if id is None else (*parts, id))])


def given(**values: Any) -> dict[str, Any]:
    """Those that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def _segment(text: str) -> str:
    if not text:
        raise ValueError("a name or an id is empty")
    quoted = quote(text, safe="")
    # As they are, these would be taken for directions: deleting the item ".." would delete its collection.
    return quoted.replace(".", "%2E") if set(text) == {"."} else quoted
