"""`speechclip collections plan` and `build`."""

from __future__ import annotations

import pytest

from app.cli import large
from app.cli.errors import CommandError
from app.cli.large import bytes_of, count_of
from app.settings import Settings
from index.records import Record
from index.store import Store
from tests.app.cli_runner import Speechclip, make_speechclip
from tests.fake_encoder import FakeEncoder
from tests.index.built_base import clustered

GIB = 2**30


@pytest.fixture
def speechclip(settings: Settings, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch) -> Speechclip:
    return make_speechclip(settings.data, encoder, monkeypatch)


@pytest.fixture
def filled(speechclip: Speechclip) -> str:
    with Store(speechclip.data / "collections").create("large", "images", 16, "model") as collection:
        collection.add([Record(f"id-{number}") for number in range(300)], clustered(300))
    return "large"


@pytest.mark.parametrize(
    ("text", "count"), [("7", 7), ("200000", 200_000), ("200k", 200_000), ("1.5M", 1_500_000), (" 1B ", 10**9)]
)
def test_numbers_of_vectors(text: str, count: int) -> None:
    assert count_of(text) == count


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8GiB", 8 * GIB),
        ("8 gib", 8 * GIB),
        ("8GB", 8 * 10**9),
        ("500MB", 500 * 10**6),
        ("1024", 1024),
        ("0.5KiB", 512),
    ],
)
def test_amounts_of_memory(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "0", "many", "-1", "1e9", "10MM", "9" * 99, "9" * 400, "8GiB"])
def test_what_is_no_number_of_vectors(text: str) -> None:
    with pytest.raises(CommandError, match="no number of vectors"):
        count_of(text)


@pytest.mark.parametrize("text", ["", "0", "0GiB", "8Gi", "GiB", "-1GB", "8XiB", "0.1B", f"{'9' * 400}GB"])
def test_what_is_no_amount_of_memory(text: str) -> None:
    with pytest.raises(CommandError, match="no amount of memory"):
        bytes_of(text)


def test_a_plan_names_a_recipe_and_says_why(speechclip: Speechclip) -> None:
    result = speechclip.run("collections", "plan", "--count", "10M", "--dim", 512, "--memory", "8GiB")
    assert result.exit_code == 0
    (chosen,) = [line for line in result.stdout.splitlines() if "chosen" in line]
    assert chosen.startswith("IVF-SQ8")
    assert "more than 8.00 GiB" in result.stdout


def test_a_plan_as_json(speechclip: Speechclip) -> None:
    advice = speechclip.json("collections", "plan", "--count", "20000")
    assert advice["recipe"] == "Flat"
    assert {option["recipe"] for option in advice["options"]} >= {"Flat", "HNSW-SQ8", "IVF-PQ"}


def test_a_plan_that_fits_nowhere_says_what_to_do(speechclip: Speechclip) -> None:
    result = speechclip.run("collections", "plan", "--count", "1B", "--memory", "8GiB")
    assert "No recipe fits" in result.stderr
    assert speechclip.json("collections", "plan", "--count", "1B", "--memory", "8GiB")["recipe"] is None


def test_a_build_tells_what_was_measured(speechclip: Speechclip, filled: str) -> None:
    result = speechclip.run("collections", "build", filled, "--recipe", "IVF-SQ8", "--recall", "0.9")
    assert result.exit_code == 0, result.stderr
    facts = dict(line.split(maxsplit=1) for line in result.stdout.splitlines())
    assert facts["recipe"] == "IVF-SQ8"
    assert float(facts["recall@10"].split()[0]) >= 0.9
    assert int(facts["nprobe"]) >= 1
    with Store(speechclip.data / "collections").open(filled) as collection:
        assert collection.recipe == "IVF-SQ8"


def test_a_small_collection_needs_no_more_than_it_has(speechclip: Speechclip, filled: str) -> None:
    result = speechclip.run("collections", "build", filled)
    assert result.stdout.split() == ["recipe", "Flat", "recall@10", *["1.0,", "every", "vector", "is", "compared"]]


def test_too_little_memory_is_refused_with_what_is_needed(speechclip: Speechclip, filled: str) -> None:
    assert "GiB is the least" in speechclip.refused("collections", "build", filled, "--memory", "1KB")


def test_what_cannot_be_built_is_told(speechclip: Speechclip, filled: str) -> None:
    assert "there is no collection" in speechclip.refused("collections", "build", "nothing")
    with Store(speechclip.data / "collections").open(filled) as collection:
        collection.delete([record.id for record in collection.list(1000)])
    assert "has no records" in speechclip.refused("collections", "build", filled, "--recipe", "SQ8")


def test_a_store_on_a_server_builds_its_own(
    speechclip: Speechclip, filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large, "Collection", FakeEncoder)
    assert "built by the server" in speechclip.refused("collections", "build", filled)
