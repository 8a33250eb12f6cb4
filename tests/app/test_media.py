"""`/media`: the files behind records, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.app.conftest import MakeClient
from tests.app.problems import assert_problem
from tests.fake_encoder import drawn


def test_the_file_of_a_record(client: TestClient) -> None:
    answer = client.get("/media/images/dog")

    assert answer.status_code == 200
    assert answer.content == drawn("dog")
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"] == 'inline; filename="dog.png"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "max-age" in answer.headers["cache-control"]


def test_an_id_may_hold_slashes_and_a_drawing_may_run_no_script(client: TestClient) -> None:
    for path in ("/media/odd/sub/drawing", "/v1/media/odd/sub%2Fdrawing"):
        answer = client.get(path)
        assert answer.headers["content-type"] == "image/svg+xml"
        assert answer.headers["content-security-policy"].endswith("sandbox")


def test_a_file_of_no_known_type_is_saved_not_shown(client: TestClient) -> None:
    answer = client.get("/media/odd/page")

    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize("id", ["up", "absolute", "link", "circle", "folder", "gone", "nul", "none", "web"])
def test_what_is_not_a_file_below_the_media_root_is_not_served(client: TestClient, id: str) -> None:
    answer = client.get(f"/media/odd/{id}")

    assert_problem(answer, 404, "media_not_found")
    assert "secret" not in answer.text


def test_a_collection_without_files_has_no_media(client: TestClient) -> None:
    assert_problem(client.get("/media/captions/dog"), 404, "media_not_found")


@pytest.mark.parametrize(
    "id",
    ["..%2Fsecret.txt", "%2e%2e/secret.txt", "..%5Csecret.txt", "dog.png", "%2Fetc%2Fpasswd", "dog%00", "%ff", "é"],
)
def test_a_path_is_no_id(client: TestClient, id: str) -> None:
    assert_problem(client.get(f"/media/images/{id}"), 404, "item_not_found")


def test_the_name_of_a_collection_is_no_path(client: TestClient) -> None:
    for path in ("..%2Fsecret.txt", "%2e%2e%2fcollections/dog", "nothing/dog"):
        assert_problem(client.get(f"/media/{path}"), 404, "collection_not_found")


def test_a_client_that_has_a_file_need_not_fetch_it_again(client: TestClient) -> None:
    first = client.get("/media/images/dog")

    for name, value in (
        ("If-None-Match", first.headers["ETag"]),
        ("If-Modified-Since", first.headers["Last-Modified"]),
    ):
        again = client.get("/media/images/dog", headers={name: value})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
    assert client.get("/media/images/dog", headers={"If-None-Match": '"another"'}).content == first.content


def test_a_part_of_a_file(client: TestClient) -> None:
    answer = client.get("/media/images/dog", headers={"Range": "bytes=1-3"})

    assert answer.status_code == 206
    assert answer.content == b"PNG"


@pytest.mark.parametrize(
    ("range_", "status", "code"), [("bytes=9999-", 416, "range_not_satisfiable"), ("lines=1-2", 400, "malformed")]
)
def test_an_impossible_part_is_a_problem(client: TestClient, range_: str, status: int, code: str) -> None:
    assert_problem(client.get("/media/images/dog", headers={"Range": range_}), status, code)


def test_a_file_that_turns_into_a_link_is_not_followed(make_client: MakeClient, media_root: Path) -> None:
    file = media_root / "guitar.png"
    content = file.read_bytes()
    with make_client() as client:
        try:
            file.unlink()
            file.symlink_to(media_root.parent / "secret.txt")
            assert_problem(client.get("/media/images/guitar"), 404, "media_not_found")
        finally:
            file.unlink()
            file.write_bytes(content)
