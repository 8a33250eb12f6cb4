"""`speechclip search` and `speechclip keywords`: what may be asked, and what comes out."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from index.store import Store
from tests.app.cli_runner import Speechclip, make_speechclip
from tests.app.conftest import wait_until_ready
from tests.app.slot_encoder import SlotEncoder, said
from tests.fake_encoder import WORDS, FakeEncoder, drawn, spoken


@pytest.fixture
def speechclip(settings: Settings, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Speechclip:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return make_speechclip(settings.data, encoder, monkeypatch)


def test_a_spoken_word_finds_its_image(speechclip: Speechclip) -> None:
    Path("cat.wav").write_bytes(spoken("cat", seconds=0.75))

    answer = speechclip.json("search", "cat.wav", "--top-k", 2)

    first = answer["results"][0]
    assert first == {
        "id": "cat", "rank": 1, "score": first["score"], "caption": "cat", "uri": "cat.png", "metadata": {"length": 3}
    }  # fmt: skip
    assert first["score"] == pytest.approx(1, abs=1e-5)
    assert [one["rank"] for one in answer["results"]] == [1, 2]
    assert answer["query"] == {"kind": "audio", "format": "wav", "seconds": 0.75, "truncated": False}


def test_a_filter_chooses_what_may_be_found(speechclip: Speechclip) -> None:
    answer = speechclip.json("search", "cat", "--filter", '{"metadata.length": {"gt": 3}, "id": {"ne": "guitar"}}')

    assert {one["id"] for one in answer["results"]} == {"apple", "rocket"}


@pytest.mark.parametrize(
    ("filter", "words"),
    [
        ("{", "is not JSON"),
        ('{"length": {"gt": 3}}', "/length is no field; there are id, uri, caption and metadata.KEY"),
        ('{"metadata.length": {"above": 3}}', "/metadata.length/above is no condition"),
    ],
)
def test_a_fault_in_a_filter_is_pointed_at(speechclip: Speechclip, filter: str, words: str) -> None:
    assert f"the filter cannot be used: {words}" in speechclip.refused("search", "cat", "--filter", filter)


@pytest.mark.parametrize(
    ("query", "content", "kind", "format"),
    [
        ("-", spoken("dog"), "audio", "wav"),
        ("-", drawn("dog"), "image", "png"),
        ("picture", drawn("dog", "WEBP"), "image", "webp"),
        ("sound.png", spoken("dog"), "audio", "wav"),
        ("dog", None, "text", None),
    ],
)
def test_what_a_query_is_is_read_from_its_bytes(
    speechclip: Speechclip, query: str, content: bytes | None, kind: str, format: str | None
) -> None:
    if content and query != "-":
        Path(query).write_bytes(content)
    answer = speechclip.json("search", query, "--collection", "captions", stdin=content)

    assert answer["results"][0]["id"] == "dog"
    assert (answer["query"]["kind"], answer["query"]["format"]) == (kind, format)


def test_a_word_that_is_the_name_of_a_folder_is_a_word(speechclip: Speechclip) -> None:
    Path("dog").mkdir()

    assert speechclip.json("search", "dog")["query"]["kind"] == "text"


def test_a_pipe_can_be_named(speechclip: Speechclip) -> None:
    os.mkfifo("pipe")
    writer = threading.Thread(target=lambda: Path("pipe").write_bytes(spoken("dog")))
    writer.start()

    assert speechclip.json("search", "pipe")["results"][0]["id"] == "dog"
    writer.join()


def test_the_answer_is_the_service_s(speechclip: Speechclip, client: TestClient) -> None:
    """Client and command have collections of the same contents; of ids of requests there are none here."""
    for path, command in (("/search/images", ["search"]), ("/keywords", ["keywords"])):
        theirs = client.post(path, content=spoken("guitar"), headers={"Content-Type": "audio/wav"}).json()
        ours = speechclip.json(*command, "-", stdin=spoken("guitar"))
        del theirs["request_id"]
        assert ours.pop("timings_ms").keys() == theirs.pop("timings_ms").keys()
        assert ours == theirs


def test_the_times_are_told(speechclip: Speechclip) -> None:
    times = speechclip.json("search", "-", stdin=spoken("dog"))["timings_ms"]

    assert times["queue"] == 0
    assert times["total"] >= times["decode"] > 0
    assert times["total"] == pytest.approx(sum(times.values()) - times["total"], abs=0.05)


def test_keywords(speechclip: Speechclip) -> None:
    answer = speechclip.json("keywords", "-", "--top-k", 3, stdin=spoken("rocket"))

    assert answer["collection"]["name"] == "keywords"
    assert [one["rank"] for one in answer["keywords"]] == [1, 2, 3]
    assert answer["keywords"][0] == {"keyword": "rocket", "score": pytest.approx(1, abs=1e-5), "rank": 1}


def test_a_branch_that_the_model_lacks_is_refused(speechclip: Speechclip) -> None:
    told = speechclip.refused("search", "-", "--branch", "cascaded", stdin=spoken("dog"))

    assert told == "the model 'fake' has no branch 'cascaded'; it has parallel"
    assert speechclip.run("search", "-", "--branch", "parallel", stdin=spoken("dog")).exit_code == 0


@pytest.mark.parametrize(("query", "content"), [("dog", None), ("-", drawn("dog"))])
def test_what_is_no_audio_has_no_branch(speechclip: Speechclip, query: str, content: bytes | None) -> None:
    assert "it needs audio" in speechclip.refused("keywords", query, "--branch", "parallel", stdin=content)
    assert speechclip.loaded == []


@pytest.fixture
def slotted(speechclip: Speechclip) -> Speechclip:
    """The same with a model that has keyword slots and two branches."""
    speechclip.encoder = SlotEncoder()
    return speechclip


def test_keywords_of_a_model_with_slots_are_the_service_s(
    slotted: Speechclip, settings: Settings, tmp_path: Path
) -> None:
    shutil.copytree(settings.data / "collections", tmp_path / "service" / "collections")
    with TestClient(create_app(Settings(data=tmp_path / "service"), SlotEncoder())) as client:
        wait_until_ready(client)
        for branch in ("parallel", "cascaded"):
            theirs = client.post(f"/keywords?branch={branch}", files={"file": said("dog", "guitar")}).json()
            ours = slotted.json("keywords", "-", "--branch", branch, stdin=said("dog", "guitar"))
            del theirs["request_id"], theirs["timings_ms"], ours["timings_ms"]
            assert list(ours) == list(theirs)
            assert ours == theirs


def test_words_that_were_heard_count_as_in_the_service(slotted: Speechclip, settings: Settings, tmp_path: Path) -> None:
    Path("two.wav").write_bytes(said("dog", "guitar"))
    by_vector = slotted.json("search", "two.wav")["results"]
    by_words = slotted.json("search", "two.wav", "--words", 0.5)["results"]
    typed = slotted.json("search", "dog", "--words", 0.5)["results"]

    shutil.copytree(settings.data / "collections", tmp_path / "service" / "collections")
    with TestClient(create_app(Settings(data=tmp_path / "service"), SlotEncoder())) as client:
        wait_until_ready(client)
        answer = client.post("/search/images?words=0.5", files={"file": said("dog", "guitar")})
    assert by_words == answer.json()["results"]
    assert [one["id"] for one in by_words[:2]] == ["dog", "guitar"]
    assert by_words != by_vector
    assert [one["id"] for one in typed] == [one["id"] for one in slotted.json("search", "dog")["results"]]


def test_a_model_without_slots_needs_no_vocabulary(speechclip: Speechclip, settings: Settings) -> None:
    store = Store(settings.data / "collections")
    store.delete("keywords")
    Path("dog.wav").write_bytes(said("dog"))

    assert speechclip.json("search", "dog.wav", "--words", 0.5)["results"][0]["id"] == "dog"
    assert "keywords" not in store.names()


def test_people_get_both_views(slotted: Speechclip) -> None:
    result = slotted.run("keywords", "-", "--top-k", 2, stdin=said("dog", "guitar"))
    keywords, words = result.stdout.split("\n\n")

    assert keywords.splitlines()[0].split() == ["#", "score", "keyword"]
    assert keywords.splitlines()[1].split() == ["1", "1.000", "dog"]
    heading, *rows = [line.split() for line in words.splitlines()]
    assert heading == ["#", "score", "word", "said", "at", "slot"]
    assert {tuple(row[2:]) for row in rows} == {
        ("dog", "0.00", "to", "0.50", "s", "0"),
        ("guitar", "0.50", "to", "1.00", "s", "1"),
    }


def test_a_typed_word_has_one_view(slotted: Speechclip) -> None:
    assert "said at" not in slotted.run("keywords", "dog").stdout
    assert slotted.json("keywords", "dog")["slots"] == []


def test_people_get_a_table(speechclip: Speechclip) -> None:
    result = speechclip.run("search", "-", stdin=spoken("dog"))

    assert (result.exit_code, result.stderr) == (0, "")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["#", "score", "id", "caption", "uri"]
    assert lines[1] == ["1", "1.000", "dog", "dog.png"]
    assert len(lines) == 1 + len(WORDS)

    assert speechclip.run("keywords", "dog").stdout.splitlines()[1].split() == ["1", "1.000", "dog"]


def test_names_cannot_steer_the_terminal(speechclip: Speechclip, encoder: FakeEncoder) -> None:
    from index.records import Record

    with Store(speechclip.data / "collections").create("evil", "captions", 16, encoder.fingerprint) as collection:
        collection.add([Record("1", None, "\x1b]0;owned\x07[bold red]x")], encoder.embed_texts(["x"]))

    table = speechclip.run("search", "dog", "--collection", "evil").stdout
    assert "�]0;owned�[bold red]x" in table


def test_a_file_that_broke_off_is_used_and_told(speechclip: Speechclip) -> None:
    result = speechclip.run("search", "-", "--json", stdin=spoken("dog")[:-4000])

    assert result.exit_code == 0
    assert '"truncated": true' in result.stdout
    assert "broke off" in result.stderr


@pytest.mark.parametrize(
    ("query", "content", "told"),
    [
        ("dog.wav", None, "there is no file dog.wav"),
        ("folder/dog.PNG", None, "there is no file folder/dog.PNG"),
        ("-", b"", "empty"),
        ("-", b"no sound at all", "audio"),
        ("-", drawn("dog")[:40], "no readable image"),
        ("-", spoken("dog", 0.05), "0.05"),
        ("-", spoken("dog", 31), "30 s"),
        ("", None, "text"),
        ("  ", None, "text"),
        ("x" * 1001, None, "1000 characters"),
        ("a\0b.wav", None, "there is no file"),
    ],
)
def test_queries_that_cannot_be_used_are_refused_before_the_model_is_loaded(
    speechclip: Speechclip, query: str, content: bytes | None, told: str
) -> None:
    assert told in speechclip.refused("search", query, stdin=content)
    assert speechclip.loaded == []


def test_a_file_that_may_not_be_read(speechclip: Speechclip, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("dog.wav").write_bytes(spoken("dog"))

    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    assert speechclip.refused("search", "dog.wav") == "dog.wav cannot be read: Permission denied"


def test_no_more_is_read_than_a_query_may_have(speechclip: Speechclip) -> None:
    assert "more than the 10485760 bytes of SPEECHCLIP_MAX_BODY_BYTES" in speechclip.refused("search", "/dev/zero")


@pytest.mark.parametrize(("name", "told"), [("nothing", "no collection 'nothing'"), ("../up", "no name")])
def test_a_collection_that_is_not_there(speechclip: Speechclip, name: str, told: str) -> None:
    assert told in speechclip.refused("search", "dog", "--collection", name)
    assert speechclip.loaded == []


@pytest.mark.parametrize("name", ["images", "odd"])
def test_a_running_service_is_named_as_the_reason(speechclip: Speechclip, name: str) -> None:
    with Store(speechclip.data / "collections").open(name):
        told = speechclip.refused("search", "dog", "--collection", name)

    assert "open elsewhere" in told
    assert "speechclip serve" in told
    assert speechclip.loaded == []


@pytest.mark.parametrize("name", ["images", "odd"])
def test_vectors_of_another_model_are_not_searched(speechclip: Speechclip, name: str) -> None:
    speechclip.encoder = FakeEncoder(8)

    assert "made by model" in speechclip.refused("search", "dog", "--collection", name)


def test_a_model_that_is_not_there(speechclip: Speechclip) -> None:
    assert speechclip.refused("search", "dog", "--model", "missing") == "no model 'missing'"
    assert speechclip.loaded == ["missing"]


def test_default_collections_are_made_when_they_are_asked_for(
    speechclip: Speechclip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "fresh"
    result = speechclip.run("search", "rocket", "--collection", "captions", "--json", "--data", data)

    assert result.exit_code == 0
    assert Store(data / "collections").names() == ["captions"]
    assert '"caption": "rocket"' in result.stdout.split("}")[0]
