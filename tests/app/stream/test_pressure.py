"""Streams under pressure: too many, too slow, gone, or in a service that fails or stops."""

from __future__ import annotations

import time

import anyio
import pytest
from fastapi.testclient import TestClient

from app.http import sockets
from app.stream import answering, conversation
from tests.app.conftest import MakeClient
from tests.app.stream.talk import CANCEL, END, LEAVE, QUICK_S, Talk, gauge, pcm, problem, said, start
from tests.fake_encoder import FakeEncoder
from tests.patience import WAIT_S, wait_until


def test_so_many_streams_at_one_time(make_client: MakeClient) -> None:
    with make_client(max_streams=1) as client, client.websocket_connect("/stream") as first:
        first.send_text(start())
        first.receive_json()
        refused = problem(said(client, start()), 429, "overloaded", 1013)
        assert refused["retry_after"] == 1
        first.send_text(CANCEL)
        assert first.receive()["type"] == "websocket.close"
        assert said(client, start(), CANCEL).code == 1000


def test_queries_come_before_interim_answers(make_client: MakeClient, encoder: FakeEncoder) -> None:
    """With half of the places taken, streams wait with all but the final answer."""
    with make_client(queue_size=2) as client:
        encoder.open.clear()
        assert client.portal
        asking = client.portal.start_task_soon(ask, client)
        encoder.entered.acquire()
        one = Talk()
        one.say(start(), pcm("dog"))
        running = client.portal.start_task_soon(one.run, client.app)
        wait_until(lambda: one.heard)
        time.sleep(20 * QUICK_S)
        assert [message["type"] for message in one.heard] == ["ready"]
        client.portal.call(one.say, END)
        time.sleep(5 * QUICK_S)
        encoder.open.set()
        running.result(WAIT_S)
        asking.result(WAIT_S)
        assert one.heard[-1]["type"] == "final"


async def ask(client: TestClient) -> None:
    await anyio.to_thread.run_sync(lambda: client.post("/embed", json={"text": "cat"}))


def test_a_final_answer_is_refused_when_there_is_no_room(make_client: MakeClient, encoder: FakeEncoder) -> None:
    with make_client(queue_size=1) as client:
        encoder.open.clear()
        assert client.portal
        asking = client.portal.start_task_soon(ask, client)
        encoder.entered.acquire()
        problem(said(client, start(), pcm("dog"), END), 429, "overloaded", 1013)
        encoder.open.set()
        asking.result(WAIT_S)


@pytest.mark.parametrize("leaving", [LEAVE, CANCEL])
def test_who_leaves_takes_their_query_along(make_client: MakeClient, encoder: FakeEncoder, leaving: str) -> None:
    with make_client() as client:
        encoder.open.clear()
        assert client.portal
        asking = client.portal.start_task_soon(ask, client)
        encoder.entered.acquire()
        one = Talk()
        one.say(pcm("dog"), END)
        running = client.portal.start_task_soon(one.run, client.app)
        wait_until(lambda: gauge(client, "speechclip_queued") == 1)
        client.portal.call(one.say, leaving)
        running.result(WAIT_S)
        encoder.open.set()
        asking.result(WAIT_S)
        assert encoder.seen == ["cat"]


def test_a_reader_that_is_slow_gets_fewer_answers_and_none_waits(make_client: MakeClient, encoder: FakeEncoder) -> None:
    with make_client() as client:
        assert client.portal
        one = Talk()
        one.say(start(), pcm("dog"))
        running = client.portal.start_task_soon(one.run, client.app)
        wait_until(lambda: len(one.heard) == 2)
        client.portal.call(one.reading.clear)
        for _ in range(10):
            client.portal.call(one.say, pcm("dog", 0.4))
        wait_until(lambda: len(encoder.batches) == 2)
        time.sleep(20 * QUICK_S)
        assert len(encoder.batches) == 2
        client.portal.call(one.reading.set)
        client.portal.call(one.say, END)
        running.result(WAIT_S)
    assert one.heard[-1]["seconds"] == 4.6
    assert len(one.heard) <= 5


def test_a_reader_that_takes_nothing_is_given_up(make_client: MakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "SEND_TIMEOUT_S", 0.1)
    with make_client() as client:
        assert client.portal
        one = Talk()
        one.say(start(), pcm("dog"))
        running = client.portal.start_task_soon(one.run, client.app)
        wait_until(lambda: len(one.heard) == 2)
        client.portal.call(one.reading.clear)
        client.portal.call(one.say, END)
        running.result(WAIT_S)
        assert gauge(client, "speechclip_streams") == 0


@pytest.mark.parametrize("messages", [[], [start()], [start(), pcm("dog", 0.2)]])
def test_patience_with_those_who_say_nothing_ends(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, messages: list[str | bytes]
) -> None:
    monkeypatch.setattr(conversation, "IDLE_S", 0.1)
    problem(said(client, *messages), 408, "request_timeout", 1008)


def test_who_dribbles_is_not_listened_to_for_ever(make_client: MakeClient) -> None:
    with make_client(max_seconds=0.5, body_timeout_s=0.2) as client:
        assert client.portal
        one = Talk()
        one.say(start())
        running = client.portal.start_task_soon(one.run, client.app)
        for _ in range(40):
            if running.done():
                break
            client.portal.call(one.say, b"\0\0")
            time.sleep(0.05)
        running.result(WAIT_S)
    problem(one, 408, "request_timeout", 1008)


def test_a_model_that_fails_is_a_problem(make_client: MakeClient, encoder: FakeEncoder) -> None:
    with make_client() as client:
        encoder.broken = lambda word: True
        problem(said(client, start(), pcm("dog"), END), 500, "encoding_failed", 1011)


def test_a_mistake_of_the_service_is_told_and_logged(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("private detail")

    monkeypatch.setattr(answering, "find_speech", broken)
    told = problem(said(client, start(), pcm("dog"), END), 500, "internal", 1011)
    assert "private" not in str(told)
    assert "private detail" in caplog.text


def test_an_answer_that_takes_too_long(make_client: MakeClient, encoder: FakeEncoder) -> None:
    with make_client(deadline_s=0.2) as client:
        encoder.open.clear()
        problem(said(client, start(), pcm("dog"), END), 504, "deadline_exceeded", 1013)
        encoder.open.set()


def test_while_the_service_starts_or_stops(make_client: MakeClient, encoder: FakeEncoder) -> None:
    """Who has said everything gets the answer; who still speaks is sent away."""
    with make_client() as client:
        encoder.open.clear()
        assert client.portal
        ended, speaking = Talk(), Talk()
        ended.say(start(), pcm("dog"), END)
        first = client.portal.start_task_soon(ended.run, client.app)
        encoder.entered.acquire()
        speaking.say(start())
        second = client.portal.start_task_soon(speaking.run, client.app)
        wait_until(lambda: len(speaking.heard) == 1)
        client.app.state.service.readiness.end()  # type: ignore[attr-defined]
        second.result(WAIT_S)
        encoder.open.set()
        first.result(WAIT_S)
        assert problem(speaking, 503, "draining", 1012)["retry_after"] == 5
        assert ended.heard[-1]["type"] == "final"
        problem(said(client, start()), 503, "draining", 1012)
