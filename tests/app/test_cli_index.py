"""`speechclip index`: what becomes a record, what is passed over, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.cli import indexing
from app.demo import collections as demo
from index.store import Store
from tests.app.cli_runner import Speechclip, make_speechclip
from tests.fake_encoder import WORDS, FakeEncoder, drawn


@pytest.fixture
def speechclip(encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Speechclip:
    return make_speechclip(tmp_path / "data", encoder, monkeypatch)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """All the words: three at the top, two below, and things that are no images."""
    folder = tmp_path / "photos"
    (folder / "sub" / "deep").mkdir(parents=True)
    for word, place in zip(WORDS, ("", "", "", "sub", "sub/deep"), strict=True):
        (folder / place / f"{word}.PNG").write_bytes(drawn(word))
    (folder / "notes.txt").write_text("not asked for")
    (folder / "film.mp4").write_bytes(b"film")
    os.mkfifo(folder / "pipe.png")
    (folder / "loop").symlink_to(folder)
    return folder


def ids(speechclip: Speechclip, name: str) -> list[str]:
    with Store(speechclip.data / "collections").open(name) as collection:
        return [record.id for record in collection.list(100)]


def texts(folder: Path, content: str | bytes, name: str = "texts.txt") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_folder_of_images(speechclip: Speechclip, photos: Path) -> None:
    report = speechclip.json("index", "pets", photos)

    assert report.pop("seconds") > 0
    assert report == {
        "collection": "pets", "kind": "images", "added": 5, "known": 0, "failed": 0, "skipped": [], "report": None,
        "stopped": False, "count": 5,
    }  # fmt: skip
    assert ids(speechclip, "pets") == [
        "apple.PNG", "cat.PNG", "dog.PNG", "sub/deep/guitar.PNG", "sub/rocket.PNG"
    ]  # fmt: skip
    with Store(speechclip.data / "collections").open("pets") as collection:
        assert (collection.kind, collection.media_root) == ("images", photos)
        record = collection.get("sub/rocket.PNG")
        assert (record.uri, record.caption) == ("sub/rocket.PNG", "rocket")
    assert speechclip.json("search", "guitar", "--collection", "pets")["results"][0]["id"] == "sub/deep/guitar.PNG"


def test_a_second_run_does_only_what_is_new(speechclip: Speechclip, photos: Path, encoder: FakeEncoder) -> None:
    speechclip.json("index", "pets", photos)
    (photos / "new.png").write_bytes(drawn("dog"))
    (photos / "cat.PNG").write_bytes(drawn("apple", size=(9, 9)))
    encoder.forget()

    report = speechclip.json("index", "pets", photos)

    assert (report["added"], report["known"], report["count"]) == (2, 4, 6)
    assert encoder.batches == [("image", 2)]


def test_a_run_that_was_cut_off_goes_on(
    speechclip: Speechclip, photos: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "BATCH", {"images": 2})
    encoder.broken = lambda word: len(encoder.batches) > 1
    with pytest.raises(RuntimeError):
        speechclip.run("index", "pets", photos)
    encoder.broken = lambda word: False

    report = speechclip.json("index", "pets", photos)

    assert (report["added"], report["known"], report["count"]) == (3, 2, 5)


def test_bad_files_are_listed_and_skipped(speechclip: Speechclip, photos: Path) -> None:
    (photos / "dog.PNG").write_bytes(drawn("dog")[:50])
    (photos / "empty.jpg").write_bytes(b"")
    (photos / "gone.png").symlink_to(photos / "nowhere")
    Path(os.fsdecode(os.fsencode(photos) + b"/\xff.png")).write_bytes(drawn("cat"))
    (photos / ("long" * 60)).mkdir()
    (photos / ("long" * 60) / ("x" * 30 + ".png")).write_bytes(drawn("cat"))

    result = speechclip.run("index", "pets", photos)

    assert result.exit_code == 1
    assert result.stdout.startswith("pets: 4 added, 0 there already, 4 skipped; 4 images in all, ")
    for name in ("dog.PNG: these 50 bytes", "empty.jpg: ", "�.png: ", "longlong"):
        assert f"skipped {name}" in result.stderr
    assert result.stderr.count("skipped ") == 4


def test_one_file_by_its_name_whatever_it_is_called(
    speechclip: Speechclip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "picture").write_bytes(drawn("dog"))
    monkeypatch.chdir(tmp_path)

    assert speechclip.json("index", "pets", "picture", "./picture")["added"] == 1
    assert ids(speechclip, "pets") == ["picture"]


def test_ids_do_not_depend_on_what_is_named(speechclip: Speechclip, photos: Path) -> None:
    speechclip.json("index", "pets", photos)

    again = speechclip.json("index", "pets", photos / "sub" / "deep", photos / "dog.PNG")
    assert (again["added"], again["known"]) == (0, 2)


def test_folders_side_by_side(speechclip: Speechclip, tmp_path: Path) -> None:
    for name, word in (("a", "dog"), ("b", "cat")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "same.png").write_bytes(drawn(word))

    speechclip.json("index", "pets", tmp_path / "a", tmp_path / "b")
    assert ids(speechclip, "pets") == ["a/same.png", "b/same.png"]


@pytest.mark.parametrize("kind", ["captions", "keywords"])
def test_a_file_of_texts(speechclip: Speechclip, tmp_path: Path, kind: str) -> None:
    path = texts(tmp_path, "\ufeffdog\r\n\n  cat   and\tmouse \ndog\n")

    report = speechclip.json("index", "words", path, "--kind", kind)

    assert (report["kind"], report["added"]) == (kind, 2)
    assert ids(speechclip, "words") == ["cat and mouse", "dog"]
    with Store(speechclip.data / "collections").open("words") as collection:
        assert (collection.kind, collection.media_root) == (kind, None)
    assert speechclip.json("search", "dog", "--collection", "words")["results"][0]["caption"] == "dog"
    assert speechclip.json("index", "words", path, "--kind", kind)["known"] == 2


def test_texts_are_captions_unless_told_otherwise(speechclip: Speechclip, tmp_path: Path) -> None:
    assert speechclip.json("index", "words", texts(tmp_path, "dog"))["kind"] == "captions"


def test_long_lines(speechclip: Speechclip, tmp_path: Path) -> None:
    path = texts(tmp_path, "x" * 300 + "\n" + "y" * 1001)

    report = speechclip.json("index", "words", path, status=1)
    assert report["added"] == 1
    assert report["skipped"] == [{"source": "texts.txt:2", "reason": "the text has 1001 characters; 1000 are the most"}]
    assert speechclip.json("search", "x", "--collection", "words")["results"][0]["caption"] == "x" * 300


def test_a_file_that_is_no_text(speechclip: Speechclip, tmp_path: Path) -> None:
    good, bad = texts(tmp_path, "dog"), texts(tmp_path, b"\xff\xfe\x00", "bad.txt")

    report = speechclip.json("index", "words", good, bad, status=1)
    assert (report["added"], len(report["skipped"])) == (1, 1)
    assert report["skipped"][0]["reason"] == "it is not UTF-8 text"


def test_a_name_of_a_default_collection_can_be_taken_before_the_service_does(
    speechclip: Speechclip, tmp_path: Path
) -> None:
    speechclip.json("index", "keywords", texts(tmp_path, "dog\ncat"), "--kind", "keywords")

    answer = speechclip.json("keywords", "dog")
    assert answer["keywords"][0]["keyword"] == "dog"
    assert answer["collection"]["count"] == 2


def test_the_service_s_own_collections_are_left_to_it(
    speechclip: Speechclip, photos: Path, encoder: FakeEncoder
) -> None:
    Store(speechclip.data / "collections").create("images", "images", 16, encoder.fingerprint, demo.DRAWINGS).close()

    assert "choose another name, or delete it" in speechclip.refused("index", "images", photos)


def test_sources_that_make_no_sense(speechclip: Speechclip, photos: Path, tmp_path: Path) -> None:
    words, empty = texts(tmp_path, "dog"), tmp_path / "empty"
    empty.mkdir()
    for sources, told in (
        ([tmp_path / "nowhere"], "there is no file or folder"),
        ([photos / "pipe.png"], "there is no file or folder"),
        ([empty], "there are no images"),
        ([photos, words], "do not go into one collection"),
        ([photos, "--kind", "captions"], "cannot be indexed as captions"),
        ([words, "--kind", "images"], "cannot be indexed as images"),
    ):
        assert told in speechclip.refused("index", "pets", *sources)
    assert "no name" in speechclip.refused("index", "PETS", photos)
    assert speechclip.loaded == []
    assert Store(speechclip.data / "collections").names() == []


def test_what_does_not_go_into_a_collection(speechclip: Speechclip, photos: Path, tmp_path: Path) -> None:
    speechclip.json("index", "deep", photos / "sub" / "deep")
    speechclip.json("index", "words", texts(tmp_path, "dog"))
    speechclip.loaded.clear()

    assert "is not there" in speechclip.refused("index", "deep", photos)
    assert "holds images, these are captions" in speechclip.refused("index", "deep", texts(tmp_path, "dog"))
    assert "holds captions, these are images" in speechclip.refused("index", "words", photos)
    with Store(speechclip.data / "collections").open("words"):
        assert "speechclip serve" in speechclip.refused("index", "words", texts(tmp_path, "dog"))
    assert speechclip.loaded == []

    speechclip.encoder = FakeEncoder(8)
    assert "made by model" in speechclip.refused("index", "words", texts(tmp_path, "dog"))


def test_what_the_store_refuses_is_told_and_the_others_are_there(speechclip: Speechclip, photos: Path) -> None:
    (photos / "media:holiday.png").write_bytes(drawn("dog"))

    report = speechclip.json("index", "pets", photos, status=1)

    assert (report["added"], report["failed"]) == (5, 1)
    (refused,) = report["skipped"]
    assert refused["source"] == "media:holiday.png"
    assert "lacks" in refused["reason"]
    assert "media:holiday.png" not in ids(speechclip, "pets")


def test_a_report_takes_the_place_of_none_but_a_report(speechclip: Speechclip, tmp_path: Path) -> None:
    path = texts(tmp_path, "dog\n" + "x" * 1001 + "\n")
    report = tmp_path / "report.jsonl"
    for _ in range(2):
        speechclip.json("index", "words", path, "--report", report, status=1)
    assert len(report.read_text().splitlines()) == 1

    for precious in (path, tmp_path):
        assert "is no report" in speechclip.refused("index", "words", path, "--report", precious)
    assert path.read_text().startswith("dog")


def test_a_home_folder_is_no_folder_of_media_unless_it_is_named(
    speechclip: Speechclip, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "dog.png").write_bytes(drawn("dog"))
    monkeypatch.setattr(indexing, "_home", lambda: tmp_path)

    assert "--media-root" in speechclip.refused("index", "pets", photos, other)
    assert speechclip.json("index", "pets", photos, other, "--media-root", tmp_path)["added"] == 6
