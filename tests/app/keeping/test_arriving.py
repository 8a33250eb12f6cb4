"""Snapshots that are sent: kept when they are whole, and nothing of them otherwise."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from app.keeping import arriving
from app.settings import Settings
from index.durable import files
from index.records import Record
from index.store import Store
from tests.app.asgi import Exchange
from tests.app.conftest import MakeClient
from tests.app.problems import assert_problem
from tests.fake_encoder import FakeEncoder, drawn

WORDS = ("dog", "cat", "apple")


@pytest.fixture
def client(make_client: MakeClient) -> Iterator[TestClient]:
    with make_client() as client:
        client.put("/collections/mine")
        items = [{"id": word, "image": {"data": base64.b64encode(drawn(word)).decode()}} for word in WORDS]
        assert client.post("/collections/mine/items", json={"items": items}).status_code == 200
        yield client


@pytest.fixture
def made(client: TestClient) -> bytes:
    """A snapshot as somebody has kept it elsewhere; the service has it no longer."""
    name = client.post("/collections/mine/snapshot").json()["name"]
    content = client.get(f"/snapshots/{name}").content
    client.delete(f"/snapshots/{name}")
    return content


def send(client: TestClient, content: bytes, **headers: str) -> Any:
    return client.post("/snapshots", content=content, headers=headers)


def left(settings: Settings) -> list[str]:
    return sorted(path.name for path in settings.snapshots.iterdir()) if settings.snapshots.exists() else []


def test_a_snapshot_is_sent_and_restored_under_another_name(client: TestClient, made: bytes) -> None:
    answer = send(client, made)

    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["bytes"], told["collection"]) == (len(made), {"name": "mine", "version": 1, "count": 3})
    assert told["name"] == f"mine-sent-{told['sha256'][:16]}.snapshot"
    assert client.get(f"/snapshots/{told['name']}").content == made
    restored = client.post("/collections/copy/restore", json={"snapshot": told["name"]})
    assert (restored.status_code, restored.json()["count"]) == (200, 3)
    assert client.get("/media/copy/cat").content == drawn("cat")


def test_the_same_sent_again_is_there_once(client: TestClient, made: bytes, settings: Settings) -> None:
    assert send(client, made).json() == send(client, made).json()

    assert len(left(settings)) == 1


def damaged(content: bytes) -> bytes:
    return content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]


@pytest.mark.parametrize(
    "spoil", [damaged, lambda made: made[:-1], lambda made: made[: len(made) // 2], lambda made: b"?" * 3_000_000]
)
def test_what_is_damaged_is_refused_and_leaves_nothing(
    client: TestClient, made: bytes, settings: Settings, spoil: Callable[[bytes], bytes]
) -> None:
    problem = assert_problem(send(client, spoil(made)), 422, "snapshot_damaged")

    assert problem["detail"].startswith("what was sent is no snapshot, or it is damaged")
    assert left(settings) == []


def test_nothing_and_compressed_bodies_are_refused(client: TestClient, made: bytes, settings: Settings) -> None:
    assert_problem(send(client, b""), 400, "malformed")
    assert_problem(send(client, made, **{"Content-Encoding": "gzip"}), 415, "unsupported_media")
    assert left(settings) == []


def test_its_size_has_a_limit_of_its_own(make_client: MakeClient, settings: Settings) -> None:
    with make_client(max_body_bytes=1024, max_snapshot_bytes=4096) as client:
        assert client.get("/info").json()["limits"]["max_snapshot_bytes"] == 4096
        assert_problem(send(client, b"?" * 4096), 422, "snapshot_damaged")
        assert_problem(send(client, b"?" * 4097), 413, "body_too_large")
    assert left(settings) == []


def test_one_that_breaks_off_leaves_nothing(client: TestClient, made: bytes, settings: Settings) -> None:
    asked_for_more = asyncio.Event()

    async def part() -> AsyncIterator[bytes]:
        yield made[: len(made) // 2]
        asked_for_more.set()
        await asyncio.Event().wait()

    async def gone(app: FastAPI) -> None:
        exchange = Exchange("/snapshots", headers={"content-length": str(len(made))})
        sending = asyncio.create_task(exchange.run(app, part()))
        await asked_for_more.wait()
        assert len(left(settings)) == 1
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

    asyncio.run(gone(client.app))  # type: ignore[arg-type]

    assert left(settings) == []


def test_a_full_disk_leaves_nothing(
    client: TestClient, made: bytes, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "sync", full)
    problem = assert_problem(send(client, made), 503, "collection_unavailable")
    monkeypatch.undo()

    assert "No space left" in problem["detail"]
    assert left(settings) == []


def test_only_so_many_are_taken_at_one_time(client: TestClient, made: bytes) -> None:
    state = client.app.state.service  # type: ignore[attr-defined]
    with state.arriving.hold(), state.arriving.hold():
        assert_problem(send(client, made), 429, "overloaded")
    assert send(client, made).status_code == 201


def test_what_a_killed_process_was_sent_is_swept_and_what_arrives_now_is_not(tmp_path: Path) -> None:
    (tmp_path / ".0123.sent").write_bytes(b"half")
    with arriving.arriving(tmp_path) as (path, _):
        arriving.sweep(tmp_path)
        assert list(tmp_path.iterdir()) == [path]
    assert list(tmp_path.iterdir()) == []
    arriving.sweep(tmp_path / "nowhere")


def test_half_a_snapshot_that_nobody_writes_any_more_is_swept(tmp_path: Path) -> None:
    half, now = (tmp_path / f".{name}.snapshot.new" for name in ("images-1", "images-2"))
    for path in (half, now):
        path.write_bytes(b"half")
    os.utime(half, times=(0, time.time() - arriving.ABANDONED_S - 60))

    arriving.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [now]


def test_a_start_sweeps_what_the_process_before_left(make_client: MakeClient, settings: Settings) -> None:
    settings.snapshots.mkdir()
    (settings.snapshots / ".0123.sent").write_bytes(b"half")
    with make_client():
        assert left(settings) == []


def snapshot_of_a_folder(root: Path, encoder: FakeEncoder, media_root: Path) -> bytes:
    """As somebody makes it at home who wants to read the files of another machine."""
    with Store(root).create("theirs", "images", encoder.dim, encoder.fingerprint, media_root) as collection:
        collection.add([Record("secret", "secret.txt")], encoder.vector("dog")[None])
        return collection.snapshot(root / "theirs.snapshot").path.read_bytes()


def test_what_was_sent_opens_no_folder_of_this_machine(
    client: TestClient, encoder: FakeEncoder, media_root: Path, tmp_path: Path
) -> None:
    content = snapshot_of_a_folder(tmp_path / "home", encoder, media_root.parent)
    name = send(client, content).json()["name"]

    assert client.post("/collections/theirs/restore", json={"snapshot": name}).status_code == 200
    assert_problem(client.get("/media/theirs/secret"), 404, "media_not_found")
    assert client.get("/collections/theirs/items/secret").json()["uri"] == "secret.txt"


def test_a_folder_that_is_served_already_stays_so(
    client: TestClient, encoder: FakeEncoder, media_root: Path, tmp_path: Path
) -> None:
    made = client.post("/collections/images/snapshot").json()["name"]
    name = send(client, client.get(f"/snapshots/{made}").content).json()["name"]

    assert client.post("/collections/again/restore", json={"snapshot": name}).status_code == 200
    assert client.get("/media/again/dog").content == (media_root / "dog.png").read_bytes()
