"""Live search with both clients, over a socket."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.access.keys import KeyRule, digest
from app.main import create_app
from app.settings import Settings
from speechclip_client import AsyncClient, Client, SpeechClipError
from speechclip_client.errors import (
    CollectionNotFound,
    InvalidRequest,
    OutOfTime,
    ServiceUnreachable,
    SilentAudio,
    Unauthorized,
)
from speechclip_client.live import read_answer
from speechclip_client.results import Final, Interim
from tests.browser import serving
from tests.fake_encoder import FakeEncoder, spoken, tone
from tests.patience import WAIT_S

Answers = list[Interim | Final]
Listen = Callable[..., Answers]

PIECE = 3200  # bytes; a tenth of a second


def pcm(word: str, seconds: float = 0.8, silence: float = 0.0) -> bytes:
    samples = np.concatenate([tone(word, seconds), np.zeros(round(silence * 16_000))])
    return (samples * 32767).astype("<i2").tobytes()


def pieces(data: bytes, pause_s: float = 0.0) -> Iterator[bytes]:
    for start in range(0, len(data), PIECE):
        time.sleep(pause_s)
        yield data[start : start + PIECE]


@pytest.fixture(params=["sync", "async"])
def listen(request: pytest.FixtureRequest) -> Listen:
    """Says something to a service, and returns everything that it answers."""

    def waiting(url: str, audio: Iterable[bytes], answers: Answers, api_key: str | None, options: Any) -> None:
        with Client(url, api_key=api_key, deadline_s=WAIT_S) as client:
            for answer in client.stream(audio, **options):
                answers.append(answer)

    async def awaited(url: str, audio: Iterable[bytes], answers: Answers, api_key: str | None, options: Any) -> None:
        async with AsyncClient(url, api_key=api_key, deadline_s=WAIT_S) as client:
            async for answer in client.stream(_slowly(audio), **options):
                answers.append(answer)

    def listen(
        url: str, audio: Iterable[bytes], answers: Answers | None = None, api_key: str | None = None, **options: Any
    ) -> Answers:
        """answers: filled as they come."""
        heard: Answers = [] if answers is None else answers
        if request.param == "sync":
            waiting(url, audio, heard, api_key, options)
        else:
            asyncio.run(awaited(url, audio, heard, api_key, options))
        return heard

    return listen


async def _slowly(audio: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in audio:
        await asyncio.sleep(0)
        yield piece


def test_answers_come_while_somebody_speaks_and_the_last_one_is_final(listen: Listen, url: str) -> None:
    answers: Answers = []

    def audio() -> Iterator[bytes]:
        """Its end is held back until something was answered."""
        data = pcm("cat")
        yield from pieces(data[:-PIECE], 0.1)
        while not answers:
            time.sleep(0.01)
            yield b""
        yield data[-PIECE:]

    listen(url, audio(), answers, searches={"images": 2, "captions": 1}, keywords=3)

    *interim, final = answers
    assert interim
    assert isinstance(final, Final)
    assert (final.reason, final.seconds) == ("end", 0.8)
    assert [answer.sequence for answer in answers] == list(range(1, len(answers) + 1))
    assert final.searches["images"][0].id == "cat"
    assert len(final.searches["captions"]) == 1
    assert final.keywords
    assert final.keywords.keywords[0].keyword == "cat"


def test_a_file_and_a_filter(listen: Listen, url: str) -> None:
    (final,) = listen(url, [spoken("dog")], format="container", filter={"metadata.length": {"gt": 3}})

    assert {result.caption for result in final.searches["images"]} == {"apple", "rocket", "guitar"}


def test_the_vector_comes_with_it_where_it_is_asked_for(listen: Listen, url: str) -> None:
    (final,) = listen(url, [spoken("dog")], format="container", include_vector=True)
    assert final.vector
    with Client(url) as client:
        assert client.search("images", vector=final.vector).results[0].id == final.searches["images"][0].id == "dog"

    (other,) = listen(url, [spoken("dog")], format="container")
    assert other.vector is None


def test_words_count_as_much_as_is_said(listen: Listen, url: str) -> None:
    (final,) = listen(url, [spoken("dog")], format="container", words=0.2, keywords=1)
    assert final.searches["images"][0].id == "dog"
    assert final.keywords
    assert final.keywords.heard == ()  # a model without keyword slots

    with pytest.raises(InvalidRequest, match="words"):
        listen(url, [spoken("dog")], format="container", words=2.0)


def test_it_ends_by_itself_before_the_audio_does(listen: Listen, url: str) -> None:
    def audio() -> Iterator[bytes]:
        yield from pieces(pcm("dog", 0.6, silence=20.0), 0.02)
        while True:
            time.sleep(0.01)
            yield b""

    answers = listen(url, audio())

    assert isinstance(answers[-1], Final)
    assert answers[-1].reason == "end_of_speech"


def test_refusals_are_those_of_other_calls(listen: Listen, url: str) -> None:
    with pytest.raises(CollectionNotFound):
        listen(url, [pcm("dog")], searches={"none": 1})
    with pytest.raises(SilentAudio):
        listen(url, [bytes(32_000)])


def test_what_the_audio_raises_comes_through(listen: Listen, url: str) -> None:
    def broken() -> Iterator[bytes]:
        yield pcm("dog", 0.2)
        raise FileNotFoundError("unplugged")

    with pytest.raises(FileNotFoundError, match="unplugged"):
        listen(url, broken())


def test_nobody_there(listen: Listen) -> None:
    with pytest.raises(ServiceUnreachable):
        listen("http://127.0.0.1:9", [b""])


def test_with_and_without_a_key(listen: Listen, tmp_path: Path) -> None:
    rules = {"me": KeyRule(sha256=digest("scs_me"), scopes=frozenset({"search"}))}
    with serving(create_app(Settings(data=tmp_path, api_keys=rules), FakeEncoder())) as url:
        with pytest.raises(Unauthorized):
            listen(url, [b""])
        with pytest.raises(CollectionNotFound):
            listen(url, [b""], api_key="scs_me")


def test_patience_with_the_service_ends(url: str) -> None:
    over = threading.Event()

    def never() -> Iterator[bytes]:
        over.wait(WAIT_S)
        yield b""

    with Client(url, deadline_s=0.2) as client, pytest.raises(OutOfTime):
        list(client.stream(never()))
    over.set()


@pytest.mark.parametrize("message", ["", "[]", "{}", '{"type":"final"}', '{"type":"problem"}', b"\xff", "[" * 100_000])
def test_what_this_service_does_not_say_is_no_crash(message: str | bytes) -> None:
    with pytest.raises(SpeechClipError):
        read_answer(message)
