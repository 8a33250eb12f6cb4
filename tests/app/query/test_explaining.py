"""`/explain`: which part of a picture makes it an answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.query.explaining import GRID, Grid, covered, middle
from app.settings import Settings
from index.records import Record
from index.store import Store
from tests.app.conftest import wait_until_ready
from tests.app.looking_encoder import CAT, LookingEncoder, pair
from tests.app.problems import assert_problem
from tests.fake_encoder import drawn, spoken

SIDE = 60


@pytest.fixture
def encoder() -> LookingEncoder:
    return LookingEncoder()


@pytest.fixture
def client(encoder: LookingEncoder, tmp_path: Path) -> Iterator[TestClient]:
    """Pictures with a dog on the left and a cat on the right: a square one, and one with more around it."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    pair(SIDE).save(folder / "square.png")
    pair(SIDE, margin=SIDE // 2).save(folder / "wide.png")
    (folder / "broken.png").write_bytes(drawn("dog")[:20])
    uris = {"square": "square.png", "wide": "wide.png", "broken": "broken.png", "none": None, "a/b": "square.png"}
    with Store(tmp_path / "collections").create("both", "images", encoder.dim, encoder.fingerprint, folder) as made:
        made.add([Record(id, uri) for id, uri in uris.items()], np.stack([encoder.vector("dog")] * len(uris)))
    with TestClient(create_app(Settings(data=tmp_path), encoder)) as running:
        wait_until_ready(running)
        encoder.forget()
        yield running


def halves(answer: dict[str, list[list[float]]]) -> tuple[float, float]:
    """The mean drop on the left and on the right."""
    cells = np.array(answer["drops"])
    return float(cells[:, : GRID.cells // 2].mean()), float(cells[:, GRID.cells // 2 :].mean())


@pytest.mark.parametrize("word", ["dog", "cat"])
def test_what_was_asked_for_matters_and_what_is_beside_it_does_not(client: TestClient, word: str) -> None:
    answer = client.post("/explain/both/square", files={"file": spoken(word)}).json()

    left, right = halves(answer)
    asked, other = (left, right) if word == "dog" else (right, left)
    assert asked > 0 > other
    assert list(answer) == ["score", "drops", "part", "query", "model", "collection", "timings_ms", "request_id"]
    assert answer["score"] == pytest.approx(0.7, abs=0.2)
    assert np.array(answer["drops"]).shape == (GRID.cells, GRID.cells)


def test_the_grid_lies_over_the_middle_which_is_all_that_a_model_looks_at(client: TestClient) -> None:
    square = client.post("/explain/both/square", json={"text": "dog"}).json()
    wide = client.post("/explain/both/wide", json={"text": "dog"}).json()

    assert square["part"] == {"left": 0, "top": 0, "width": 1, "height": 1}
    assert wide["part"] == {"left": 0.25, "top": 0, "width": 0.5, "height": 1}
    assert wide["drops"] == square["drops"]


def test_every_query_can_be_asked_about(client: TestClient, encoder: LookingEncoder) -> None:
    vector = encoder.vector("dog").tolist()
    asked = [{"vector": vector}, {"id": "square"}, {"id": "wide", "collection": "both"}, {"text": "dog"}]

    answers = [client.post("/v1/explain/both/a/b", json=query).json() for query in asked]

    assert [answer["drops"] for answer in answers] == [answers[0]["drops"]] * len(asked)


def test_the_model_looks_in_groups_so_that_queries_get_between(client: TestClient, encoder: LookingEncoder) -> None:
    client.post("/explain/both/square", json={"vector": encoder.vector("dog").tolist()})

    sizes = [size for kind, size in encoder.batches if kind == "image"]
    assert sum(sizes) == 1 + len(GRID.covers((SIDE, SIDE)))
    assert max(sizes) <= Settings().batch_size


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("none/square", {"text": "dog"}, 404, "collection_not_found"),
        ("both/unknown", {"text": "dog"}, 404, "item_not_found"),
        ("both/none", {"text": "dog"}, 404, "media_not_found"),
        ("both/broken", {"text": "dog"}, 415, "unsupported_media"),
        ("both/square", {}, 422, "invalid_parameter"),
        ("both/square", {"text": "dog", "top_k": 3}, 422, "invalid_parameter"),
        ("both/square", {"text": "dog", "branch": "cascaded"}, 422, "invalid_parameter"),
    ],
)
def test_what_cannot_be_explained(
    client: TestClient, path: str, query: dict[str, object], status: int, code: str
) -> None:
    assert_problem(client.post(f"/explain/{path}", json=query), status, code)


@pytest.mark.parametrize("grid", [GRID, Grid(4, 1), Grid(7, 2)])
@pytest.mark.parametrize("size", [(60, 60), (61, 47), (9, 200)])
def test_every_cell_is_covered_equally_often(grid: Grid, size: tuple[int, int]) -> None:
    below = np.zeros((size[1], size[0]), int)
    for left, top, right, bottom in grid.covers(size):
        below[top:bottom, left:right] += 1

    assert (below == grid.cover**2).all()


def test_a_cover_hides_what_is_below_it_and_nothing_else() -> None:
    hidden = np.asarray(covered(pair(SIDE), (0, 0, SIDE // 2, SIDE)))

    assert (hidden[:, : SIDE // 2] == hidden[0, 0]).all()
    assert (hidden[:, SIDE // 2 :] == np.array(CAT)).all()


def test_a_cell_counts_what_the_covers_over_it_cost() -> None:
    alone = Grid(cells=2, cover=1)

    assert alone.drops(0.5, [0.5, 0.4, 0.6, 0.5]) == pytest.approx(np.array([[0, 0.1], [-0.1, 0]]))
    assert not GRID.drops(0.5, [0.5] * len(GRID.covers((SIDE, SIDE)))).any()


@pytest.mark.parametrize(("size", "part"), [((10, 40), (0, 0.375, 1, 0.25)), ((1, 1), (0, 0, 1, 1))])
def test_the_middle(size: tuple[int, int], part: tuple[float, ...]) -> None:
    found = middle(size)

    assert (found.left, found.top, found.width, found.height) == part
