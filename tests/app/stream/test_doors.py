"""Who may open a stream: keys, names, origins and ports, as with every other request."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from app.access.keys import KeyRule, Scope, digest
from tests.app.conftest import MakeClient
from tests.app.stream.talk import CANCEL, Talk, start

SEARCH, WRITE, SLOW = "scs_search", "scs_write", "scs_slow"


def rule(secret: str, scope: Scope, rate: str | None = None) -> KeyRule:
    return KeyRule(sha256=digest(secret), scopes=frozenset({scope}), rate=rate)


RULES = {"page": rule(SEARCH, "search"), "robot": rule(WRITE, "write"), "slow": rule(SLOW, "search", "2/minute")}


@pytest.fixture
def locked(make_client: MakeClient) -> Iterator[TestClient]:
    with make_client(api_keys=RULES) as client:
        yield client


def opened(client: TestClient, path: str = "/stream", **headers: str) -> Talk:
    """A stream that is opened and cancelled."""
    one = Talk({name.replace("_", "-"): value for name, value in headers.items()}, path)
    one.say(start(), CANCEL)
    assert client.portal
    client.portal.call(one.run, client.app)
    return one


@pytest.mark.parametrize("path", ["/stream", "/v1/stream"])
@pytest.mark.parametrize(
    "headers",
    [{"authorization": f"Bearer {SEARCH}"}, {"x_api_key": SEARCH}, {"cookie": f"speechclip_key={SEARCH}"}],
    ids=["bearer", "header", "cookie"],
)
def test_a_key_opens_it_from_each_place(locked: TestClient, path: str, headers: dict[str, str]) -> None:
    one = opened(locked, path, **headers)
    assert (one.heard[0]["type"], one.code) == ("ready", 1000)


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [(None, 401, "unauthorized"), ("wrong", 401, "unauthorized"), (WRITE, 403, "forbidden")],
)
def test_who_has_none_is_told_on_the_stream(locked: TestClient, key: str | None, status: int, code: str) -> None:
    """A browser would not tell the page why a handshake failed."""
    one = opened(locked) if key is None else opened(locked, x_api_key=key)
    (told,) = one.heard
    assert (told["type"], told["status"], told["code"]) == ("problem", status, code)
    assert (one.code, one.denied) == (1008, None)


def test_every_stream_counts_against_the_rate(locked: TestClient) -> None:
    streams = [opened(locked, x_api_key=SLOW) for _ in range(3)]
    assert [one.code for one in streams] == [1000, 1000, 1013]
    assert streams[2].heard[0]["code"] == "rate_limited"
    assert 1 <= streams[2].heard[0]["retry_after"] <= 60


def test_a_client_that_is_refused_and_gone_already(locked: TestClient) -> None:
    one = Talk()
    one.say("leave")

    assert locked.portal
    locked.portal.call(one.run, locked.app)


@pytest.mark.parametrize(
    ("host", "origin", "denied"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000", None),
        ("localhost:8000", "http://LOCALHOST:8000", None),
        ("127.0.0.1:8000", "http://evil.example", 403),
        ("127.0.0.1:8000", "http://127.0.0.1:9000", 403),
        ("127.0.0.1:8000", "null", 403),
        ("127.0.0.1:8000", "", 403),
        ("127.0.0.1:8000", "http://[::1", 403),
        ("evil.example:8000", "http://evil.example:8000", 421),
        ("search.example", "https://search.example", None),
        ("127.0.0.1:8000", "https://search.example", None),
    ],
)
def test_pages_of_other_origins_get_no_stream_at_all(
    make_client: MakeClient, host: str, origin: str, denied: int | None
) -> None:
    with make_client(allowed_hosts=("search.example",)) as client:
        one = opened(client, host=host, origin=origin)
    assert one.denied == denied
    assert one.code == (1000 if denied is None else None)


def test_where_operators_have_a_port_of_their_own_it_is_at_the_other(make_client: MakeClient) -> None:
    with make_client(admin_port=8000) as client:
        assert opened(client).denied == 404
    with make_client(admin_port=9000) as client:
        assert opened(client).code == 1000
