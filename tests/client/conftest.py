"""The real application, asked by both clients: in this process, and over a socket."""

from __future__ import annotations

import asyncio
import inspect
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from speechclip_client import AsyncClient, Client
from tests.app.conftest import make_store, wait_until_ready
from tests.browser import serving
from tests.fake_encoder import WORDS, FakeEncoder, drawn


class Ask(Protocol):
    """Calls a method of either client, and waits for what it gives; a listing comes as a list."""

    def __call__(self, method: str, *args: Any, **kwargs: Any) -> Any: ...


@pytest.fixture(scope="session")
def served_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder to copy."""
    data = tmp_path_factory.mktemp("served")
    pictures = data / "pictures"
    pictures.mkdir()
    for word in WORDS:
        (pictures / f"{word}.png").write_bytes(drawn(word))
    make_store(data / "collections", FakeEncoder(), pictures)
    return data


@pytest.fixture(scope="session")
def http(served_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    data = tmp_path_factory.mktemp("in_process")
    shutil.copytree(served_data / "collections", data / "collections")
    with TestClient(create_app(Settings(data=data), FakeEncoder())) as client:
        wait_until_ready(client)
        yield client


@pytest.fixture(scope="session")
def url(served_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same on a real socket."""
    data = tmp_path_factory.mktemp("on_a_socket")
    shutil.copytree(served_data / "collections", data / "collections")
    with serving(create_app(Settings(data=data), FakeEncoder())) as url:
        yield url


@pytest.fixture(scope="session", params=["sync in process", "async over a socket"])
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    if request.param == "sync in process":
        with Client("http://testserver", http=request.getfixturevalue("http")) as client:
            yield _asking(client)
    else:
        with asyncio.Runner() as runner:
            service = AsyncClient(request.getfixturevalue("url"))
            yield _awaiting(service, runner)
            runner.run(service.aclose())


def _asking(client: Client) -> Ask:
    def ask(method: str, *args: Any, **kwargs: Any) -> Any:
        answer = getattr(client, method)(*args, **kwargs)
        return list(answer) if inspect.isgenerator(answer) else answer

    return ask


def _awaiting(client: AsyncClient, runner: asyncio.Runner) -> Ask:
    async def listed(answer: Any) -> list[Any]:
        return [one async for one in answer]

    def ask(method: str, *args: Any, **kwargs: Any) -> Any:
        answer = getattr(client, method)(*args, **kwargs)
        return runner.run(listed(answer) if inspect.isasyncgen(answer) else answer)

    return ask
