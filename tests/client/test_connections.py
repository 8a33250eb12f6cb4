"""The clients on real sockets: many at one time, bodies that are too large, keys, and nobody there."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from app.access.keys import ApiKeys, KeyRule
from app.main import create_app
from app.settings import Settings
from speechclip_client import AsyncClient, Client, NewItem, Retries, SpeechClipError
from speechclip_client.errors import BodyTooLarge, Forbidden, RateLimited, ServiceUnreachable, Unauthorized
from tests.browser import serving
from tests.fake_encoder import WORDS, FakeEncoder, spoken
from tests.patience import WAIT_S

MIB = 1024 * 1024
FIVE = list(WORDS)


def test_threads_share_a_client(url: str) -> None:
    with Client(url) as service, ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda word: service.search("images", audio=spoken(word), top_k=1), FIVE * 8))

    assert [one.results[0].id for one in found] == FIVE * 8


def test_tasks_share_a_client(url: str) -> None:
    async def search() -> list[str]:
        async with AsyncClient(url) as service:
            work = [service.search("images", audio=spoken(word), top_k=1) for word in FIVE * 8]
            return [found.results[0].id for found in await asyncio.gather(*work)]

    assert asyncio.run(search()) == FIVE * 8


def test_the_application_is_asked_in_process_by_await_too(served_data: Path) -> None:
    async def search() -> list[str]:
        app = create_app(Settings(data=served_data), FakeEncoder())
        transport = httpx2.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport) as http,
            AsyncClient("http://testserver", http=http) as service,
        ):
            await service.wait_until_ready(WAIT_S)
            found = await service.search("images", text="dog", filter={"metadata.length": {"eq": 3}})
            return [result.id for result in found.results]

    assert set(asyncio.run(search())) == {"dog", "cat"}


def wait_half_a_second(url: str, awaited: bool) -> None:
    if awaited:
        asyncio.run(AsyncClient(url, deadline_s=WAIT_S).wait_until_ready(0.5))
    else:
        Client(url, deadline_s=WAIT_S).wait_until_ready(0.5)


@pytest.mark.parametrize("awaited", [False, True])
def test_nobody_waits_longer_for_a_service_than_they_want_to(awaited: bool) -> None:
    """It takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(SpeechClipError):
            wait_half_a_second(url, awaited)
        assert time.monotonic() - began < WAIT_S / 2


def test_a_file_that_is_too_large_is_not_sent(url: str, tmp_path: Path) -> None:
    path = tmp_path / "large.wav"
    with path.open("wb") as out:
        out.truncate(300 * MIB)

    async def search() -> None:
        async with AsyncClient(url, deadline_s=WAIT_S) as service:
            with pytest.raises(BodyTooLarge):
                await service.search("images", audio=path)

    with Client(url, deadline_s=WAIT_S) as service:
        with pytest.raises(BodyTooLarge):
            service.search("images", audio=path)
        with pytest.raises(BodyTooLarge), path.open("rb") as opened:
            service.store_items("images", [NewItem(id="large", audio=opened)])
    asyncio.run(search())


def test_a_refusal_overtakes_a_body_that_is_a_little_too_large(served_data: Path) -> None:
    app = create_app(Settings(data=served_data, max_body_bytes=MIB), FakeEncoder())
    with serving(app) as url, Client(url) as service, pytest.raises(BodyTooLarge) as refused:
        service.search("images", audio=b"R" * 7 * MIB)

    assert refused.value.request_id


def test_nobody_is_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with Client(url, retries=Retries(tries=2, first_pause_s=0.01)) as service:
            with pytest.raises(ServiceUnreachable, match="nothing answers") as failed:
                service.info()
            assert not failed.value.sent


def test_who_answers_speaks_no_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as thread:

        def babble() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                with connection:
                    connection.recv(65_536)
                    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        done = thread.submit(babble)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        retries = Retries(tries=2, first_pause_s=0.01)
        with Client(url, retries=retries) as service, pytest.raises(ServiceUnreachable, match="broke"):
            service.info()
        done.result()


def test_keys_are_shown_and_their_limits_kept(served_data: Path) -> None:
    rules = {
        "reader": KeyRule(sha256=hashlib.sha256(b"r").hexdigest(), scopes=frozenset({"search"}), rate="2/minute"),
    }
    app = create_app(Settings(data=served_data, api_keys=rules), FakeEncoder())
    assert isinstance(app.state.api_keys, ApiKeys)
    with serving(app) as url:
        with Client(url) as nobody, pytest.raises(Unauthorized):
            nobody.info()
        with Client(url, api_key="r", retries=Retries(tries=1)) as reader:
            with pytest.raises(Forbidden):
                reader.create_collection("mine", "images")
            assert reader.search("images", text="dog").results
            assert reader.search("images", text="dog").results
            with pytest.raises(RateLimited) as limited:
                reader.search("images", text="dog")
    assert (limited.value.retry_after_s or 0) > 5
