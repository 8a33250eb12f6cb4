"""The door of the service, asked over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.access.keys import KeyRule, Scope, digest
from tests.app.conftest import MakeClient
from tests.app.problems import assert_problem

SEARCH, WRITE, ADMIN, SLOW = "scs_search", "scs_write", "scs_admin", "scs_slow"
DOG = {"text": "dog"}


def rule(secret: str, scope: Scope, rate: str | None = None) -> KeyRule:
    return KeyRule(sha256=digest(secret), scopes=frozenset({scope}), rate=rate)


RULES = {
    "website": rule(SEARCH, "search"),
    "robot": rule(WRITE, "write"),
    "owner": rule(ADMIN, "admin"),
    "slow": rule(SLOW, "search", "2/minute"),
}


@pytest.fixture
def locked(make_client: MakeClient) -> Iterator[TestClient]:
    with make_client(api_keys=RULES) as client:
        yield client


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_without_a_key_there_is_no_answer_and_it_says_how_to_bring_one(locked: TestClient) -> None:
    answer = locked.post("/search/images", json=DOG)
    assert_problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "X-API-Key" in answer.json()["detail"]


@pytest.mark.parametrize("headers", [bearer(SEARCH), {"X-API-Key": SEARCH}, {"Cookie": f"speechclip_key={SEARCH}"}])
def test_a_key_opens_the_door_from_each_place_it_may_be_in(locked: TestClient, headers: dict[str, str]) -> None:
    assert locked.post("/search/images", json=DOG, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        bearer("wrong"),
        bearer(""),
        {"Authorization": f"Basic {SEARCH}"},
        {"X-API-Key": SEARCH + " "} | {"X-API-Key": "x" * 5000},
        {"Cookie": 'speechclip_key="'},
        {"Cookie": "=;=;speechclip_key"},
    ],
)
def test_anything_else_does_not(locked: TestClient, headers: dict[str, str]) -> None:
    assert_problem(locked.post("/search/images", json=DOG, headers=headers), 401, "unauthorized")


def test_a_key_is_good_for_its_scopes_only(locked: TestClient) -> None:
    assert_problem(locked.get("/metrics", headers=bearer(SEARCH)), 403, "forbidden")
    assert_problem(locked.post("/search/images", json=DOG, headers=bearer(WRITE)), 403, "forbidden")
    assert locked.get("/metrics", headers=bearer(ADMIN)).status_code == 200


def test_the_page_and_the_probes_are_open(locked: TestClient) -> None:
    for path in ("/", "/page/app.js", "/livez", "/readyz", "/docs", "/openapi.json"):
        assert locked.get(path).status_code == 200, path


def test_a_key_that_asks_too_often_is_told_when_to_come_back(locked: TestClient) -> None:
    answers = [locked.post("/search/images", json=DOG, headers=bearer(SLOW)) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert_problem(answers[2], 429, "rate_limited")
    assert 1 <= int(answers[2].headers["retry-after"]) <= 60
    assert locked.post("/search/images", json=DOG, headers=bearer(SEARCH)).status_code == 200


def test_the_page_hands_its_key_in_once_and_can_take_it_back(locked: TestClient) -> None:
    assert_problem(locked.post("/session", json={"key": "wrong"}), 401, "unauthorized")
    answer = locked.post("/session", json={"key": SEARCH})
    assert answer.status_code == 204
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "samesite=strict" in answer.headers["set-cookie"].lower()
    assert locked.post("/search/images", json=DOG).status_code == 200
    assert locked.delete("/session").status_code == 204
    assert_problem(locked.post("/search/images", json=DOG), 401, "unauthorized")


@pytest.mark.parametrize("other", ["theme", "user=Ada Lovelace", 'x={"a":1}', "a b=c", "=;;"])
def test_the_cookies_of_others_are_not_in_the_way(other: str, locked: TestClient) -> None:
    for cookies in (f"{other}; speechclip_key={SEARCH}", f"speechclip_key={SEARCH}; {other}"):
        assert locked.post("/search/images", json=DOG, headers={"Cookie": cookies}).status_code == 200


def test_a_service_without_keys_is_open(client: TestClient) -> None:
    assert client.post("/search/images", json=DOG).status_code == 200
    assert client.get("/metrics").status_code == 200


def test_the_log_knows_the_name_of_a_key_and_never_the_key(
    locked: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "app.access"):
        locked.post("/search/images", json=DOG, headers=bearer(SEARCH))
    assert [getattr(record, "key", None) for record in caplog.records] == ["website"]
    assert SEARCH not in caplog.text


def test_operators_with_a_port_of_their_own(make_client: MakeClient) -> None:
    """The test client's server is at port 80."""
    with make_client(admin_port=80) as operators:
        assert operators.get("/metrics").status_code == 200
        assert operators.get("/livez").status_code == 200
        assert_problem(operators.post("/search/images", json=DOG), 404, "not_found")
    with make_client(admin_port=9000) as everybody:
        assert_problem(everybody.get("/metrics"), 404, "not_found")
        assert everybody.get("/readyz").status_code == 200
        assert everybody.post("/search/images", json=DOG).status_code == 200


def test_a_file_of_keys_that_cannot_be_read_stops_the_start(make_client: MakeClient, tmp_path: Path) -> None:
    from app.access.errors import InvalidKeys

    with pytest.raises(InvalidKeys, match="cannot be read"), make_client(api_keys_file=tmp_path / "none.toml"):
        pass
