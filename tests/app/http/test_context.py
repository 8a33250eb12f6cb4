"""What every request gets, whatever happens inside."""

from __future__ import annotations

import asyncio
import logging
import re

import pytest
from fastapi.testclient import TestClient
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from app.http.context import SAFE_HEADERS, RequestContext
from app.metrics import Metrics
from app.tracing import Untraced
from tests.app.asgi import Exchange
from tests.app.problems import assert_problem

PATHS = ["/", "/livez", "/docs", "/openapi.json", "/media/images/dog", "/nowhere", "/search/images"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_an_id_and_safe_headers(client: TestClient, path: str) -> None:
    answer = client.get(path)

    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])
    assert {name.lower() for name in SAFE_HEADERS} <= answer.headers.keys()
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "unsafe" not in answer.headers["content-security-policy"] or path.startswith("/media")


def test_the_callers_id_is_echoed(client: TestClient) -> None:
    given = "trace-1:2.3_4"

    answer = client.post("/search/images", json={"text": "dog"}, headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == given

    refused = client.get("/nowhere", headers={"X-Request-ID": given})
    assert assert_problem(refused, 404, "not_found")["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "two words", "<script>", 'a"b', "a,b"])
def test_an_unsafe_id_is_replaced(client: TestClient, given: str) -> None:
    answer = client.get("/livez", headers={"X-Request-ID": given})

    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


@pytest.mark.parametrize(
    "path", ["/nowhere", "/v2/livez", "/search", "/search/a/b", "/page", "/media/images", "/livez/"]
)
def test_an_unknown_path_is_a_problem(client: TestClient, path: str) -> None:
    problem = assert_problem(client.get(path, follow_redirects=False), 404, "not_found")
    assert problem["instance"] == path


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/search/images", "POST"),
        ("GET", "/search/other", "POST"),
        ("HEAD", "/keywords", "POST"),
        ("PUT", "/v1/embed", "POST"),
        ("POST", "/livez", "GET, HEAD"),
        ("DELETE", "/", "GET, HEAD"),
        ("POST", "/docs", "GET, HEAD"),
        ("OPTIONS", "/collections", "GET, HEAD"),
        ("PATCH", "/collections/images", "GET, PUT, DELETE, HEAD"),
        ("PUT", "/v1/collections/images/items", "GET, POST, HEAD"),
        ("POST", "/collections/images/items/dog", "GET, DELETE, HEAD"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(client: TestClient, method: str, path: str, allowed: str) -> None:
    answer = client.request(method, path)

    assert answer.headers["allow"] == allowed
    if method != "HEAD":
        assert_problem(answer, 405, "method_not_allowed")


@pytest.mark.parametrize("path", PATHS)
def test_head_is_get_without_the_body(client: TestClient, path: str) -> None:
    head, get = client.head(path), client.get(path)

    assert head.status_code == get.status_code
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"]


def ask(app: object, method: str = "GET") -> tuple[Exchange, Metrics]:
    metrics, exchange = Metrics(), Exchange(path="/somewhere", method=method, headers={})
    asyncio.run(exchange.run(RequestContext(app, metrics, Untraced(), 0, lambda: False), []))  # type: ignore[arg-type]
    return exchange, metrics


async def fail(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("the secret of the house")


def test_an_unplanned_exception_is_a_problem_that_gives_nothing_away(caplog: pytest.LogCaptureFixture) -> None:
    exchange, metrics = ask(fail)

    problem = assert_problem(exchange.answer, 500, "internal")
    assert "secret" not in exchange.answer.text
    assert "RuntimeError" not in exchange.answer.text
    logged = next(record for record in caplog.records if record.exc_info)
    assert "the secret of the house" in caplog.text
    assert vars(logged)["request_id"] == problem["request_id"]
    assert b'speechclip_refusals_total{code="internal"} 1.0' in metrics.render()


def test_a_client_that_leaves_before_its_body_is_whole_is_no_mistake_of_ours(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    class Leaves(Exchange):
        def __init__(self) -> None:
            super().__init__(headers={"content-type": "audio/wav", "content-length": "500"})
            self.complete.set()

    leaving = asyncio.Event()
    leaving.set()
    with caplog.at_level(logging.INFO, logger="app.access"):
        asyncio.run(Leaves().run(client.app, [b"RIFF"], leaving))

    assert [vars(line)["code"] for line in caplog.records if line.name == "app.access"] == ["client_gone"]
    assert not [line for line in caplog.records if line.levelno >= logging.WARNING]


def test_an_answer_that_breaks_off_is_not_ended_as_if_it_were_whole() -> None:
    async def break_off(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("disk gone")

    with pytest.raises(ConnectionAbortedError):
        ask(break_off)


def test_an_error_in_plain_text_becomes_a_problem() -> None:
    async def range_error(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("plain words", 416, {"Content-Range": "bytes */77"})(scope, receive, send)

    exchange, _ = ask(range_error)

    assert_problem(exchange.answer, 416, "range_not_satisfiable")
    assert exchange.answer.headers["content-range"] == "bytes */77"
    assert "plain words" not in exchange.answer.text


def test_the_log_has_a_line_for_each_request_and_not_what_was_asked(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger="app.access"):
        client.post("/search/images?top_k=3&min_score=0.125", json={"text": "something private"})
        client.get("/livez")

    line, quiet = (record for record in caplog.records if record.name == "app.access")
    fields = vars(line)
    assert (fields["method"], fields["path"], fields["status"]) == ("POST", "/search/images", 200)
    assert "private" not in str(fields)
    assert "0.125" not in str(fields)
    assert quiet.levelno == logging.DEBUG


def test_a_path_of_any_length_makes_no_long_line(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="app.access"):
        client.get("/" + "x" * 10_000)

    assert [len(vars(line)["path"]) for line in caplog.records if line.name == "app.access"] == [200]


def test_made_up_methods_and_paths_do_not_fill_the_metrics(client: TestClient) -> None:
    for number in range(3):
        client.request(f"MADEUP{number}", f"/made/up/{number}")
        client.get(f"/search/{number}")

    text = client.get("/metrics").text
    assert 'method="other",route="unmatched"' in text
    assert "MADEUP" not in text
    assert "/made/up" not in text
