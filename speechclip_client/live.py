"""Live search: what both clients say and understand on a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from speechclip_client.calls import VERSION, given
from speechclip_client.errors import OutOfTime, Refusal, ServiceUnreachable, UnexpectedAnswer, refusal
from speechclip_client.exchange import CONNECT_S, Service
from speechclip_client.results import Final, Interim

Format = Literal["pcm", "container"]
Answer = Interim | Final

LARGEST_ANSWER = 16 * 1024 * 1024
END = json.dumps({"type": "end"})


@dataclass(frozen=True)
class Live:
    """One stream's address and first message."""

    service: Service
    start: str

    @classmethod
    def of(
        cls,
        service: Service,
        format: Format,
        rate: int,
        searches: Mapping[str, int] | None,
        keywords: int,
        words: float | None,
        branch: str | None,
        filter: Mapping[str, Any] | None,
        include_vector: bool,
    ) -> Live:
        options = given(searches=None if searches is None else dict(searches), branch=branch, filter=filter)
        options |= given(words=words, include=["vector"] if include_vector else None)
        start = {"type": "start", "format": format, "rate": rate, "keywords": keywords, **options}
        return cls(service, json.dumps(start, allow_nan=False))

    @property
    def connection(self) -> dict[str, Any]:
        """What both `connect`s of websockets take."""
        key = self.service.api_key
        scheme, _, rest = self.service.url.rstrip("/").partition("://")
        return {
            "uri": f"{scheme.replace('http', 'ws')}://{rest}{VERSION}/stream",
            "additional_headers": {} if key is None else {"Authorization": f"Bearer {key}"},
            "open_timeout": CONNECT_S,
            "max_size": LARGEST_ANSWER,
            "compression": None,
        }

    @contextmanager
    def failures(self) -> Iterator[None]:
        """What goes wrong with the connection, as an error of this package."""
        url = self.service.url
        try:
            yield
        except InvalidStatus as error:
            answer = error.response
            raise refusal(answer.status_code, dict(answer.headers), bytes(answer.body or b"")) from error
        except InvalidHandshake as error:
            raise UnexpectedAnswer(f"{url} does not speak as this service does: {error}") from error
        except ConnectionClosed as error:
            raise ServiceUnreachable(f"the stream to {url} broke off: {error}", sent=True) from error
        except TimeoutError as error:
            raise OutOfTime(f"{url} did not answer in time") from error
        except OSError as error:
            raise ServiceUnreachable(f"nothing answers at {url}: {error}", sent=False) from error


def read_answer(message: str | bytes) -> Answer | None:
    """An answer; None for what is said before the first. Raises the `Refusal` that a problem is."""
    try:
        values = json.loads(message)
        match values["type"]:
            case "interim":
                return Interim.model_validate(values)
            case "final":
                return Final.model_validate(values)
            case "problem":
                raise _refusal(values)
            case _:
                return None
    except (ValidationError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise UnexpectedAnswer(f"a message is not what this service sends: {error}") from error


def _refusal(problem: dict[str, Any]) -> Refusal:
    headers = {name: str(value) for name, value in given(**{"retry-after": problem.get("retry_after")}).items()}
    return refusal(int(problem["status"]), headers, json.dumps(problem).encode())
