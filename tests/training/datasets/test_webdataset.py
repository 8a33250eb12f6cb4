"""WebDataset tars as a corpus."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.audio_files import encode, tone
from tests.training.datasets.tiny_corpora import picture, recording, scene, tar_of, write
from training.datasets import Dataset, open_dataset
from training.datasets.check import check
from training.datasets.registry import open_corpus
from training.errors import DatasetError


def read(root: Path, split: str = "train") -> Dataset:
    return open_dataset("webdataset", root, split)


def test_samples_of_all_tars_of_a_split_come_in_their_order(tmp_path: Path) -> None:
    write(tmp_path / "train-000001.tar", tar_of(scene("0002")))
    write(tmp_path / "train-000000.tar", tar_of([*scene("0000", "a cat \n"), *scene("0001", "")]))
    write(tmp_path / "test-unseen-voices-000000.tar", tar_of(scene("0000")))

    dataset = read(tmp_path)

    assert [(pair.utterance, pair.image_id, pair.text) for pair in dataset.pairs] == [
        ("train-000000/0000", 0, "a cat"),
        ("train-000000/0001", 1, None),
        ("train-000001/0002", 2, "two cats"),
    ]
    assert dataset.pairs[0].audio.name == "train-000000.tar/0000.wav"
    assert dataset.pairs[0].audio.read() == recording()
    assert dataset.pairs[0].image.read() == picture()
    assert (dataset.missing, dataset.unreadable, dataset.duplicates) == ([], [], [])
    assert len(read(tmp_path, "test-unseen-voices").pairs) == 1


def test_splits_are_the_names_of_tars_or_of_folders(tmp_path: Path) -> None:
    for name in ("train-000.tar", "dev.tar", "test/0.tar", "test/1.tar", "000.tar", "empty/notes.txt", "notes.txt"):
        write(tmp_path / name, tar_of(scene("a")))

    assert sorted(open_corpus("webdataset", tmp_path).splits) == ["all", "dev", "test", "train"]
    assert len(read(tmp_path, "test").pairs) == 2
    assert [pair.utterance for pair in read(tmp_path / "train-000.tar").pairs] == ["train-000/a"]


@pytest.mark.parametrize(
    ("audio", "kind"), [("wav", "wav-16"), ("flac", "flac-16"), ("mp3", "mp3"), ("ogg", "ogg-opus")]
)
@pytest.mark.parametrize("image", ["jpg", "jpeg", "png", "webp"])
def test_members_of_every_kind_are_known(tmp_path: Path, audio: str, kind: str, image: str) -> None:
    sound = encode(tone(0.5, 48_000), 48_000, kind)
    members = [(f"./x/s.{audio.upper()}", sound), (f"./x/s.{image}", picture()), ("x/s.cls", b"3"), ("x/.s.wav", b"")]
    write(tmp_path / "train.tar", tar_of(members))

    (pair,) = read(tmp_path).pairs

    assert pair.utterance == "train/x/s"
    assert pair.audio.read() == sound


def test_several_captions_of_one_image_have_labels(tmp_path: Path) -> None:
    sample = [("s.jpg", picture())]
    for label, text in (("0", "a cat"), ("1", "the cat")):
        sample += [(f"s.{label}.wav", recording()), (f"s.{label}.txt", text.encode())]
    write(tmp_path / "train.tar", tar_of([*sample, *scene("t")]))

    assert [(pair.utterance, pair.image_id, pair.text) for pair in read(tmp_path).pairs] == [
        ("train/s.0", 0, "a cat"),
        ("train/s.1", 0, "the cat"),
        ("train/t", 1, "two cats"),
    ]


def test_json_tells_the_text_and_which_image_it_is(tmp_path: Path) -> None:
    def sample(stem: str, image: bytes, **facts: object) -> list[tuple[str, bytes]]:
        return [(f"{stem}.jpg", image), (f"{stem}.wav", recording()), (f"{stem}.json", json.dumps(facts).encode())]

    same, other = picture(), picture("png")
    members = sample("a", same, text="one", image_id=40, voice="x") + sample("b", same, caption="two", image_id=40)
    write(tmp_path / "train.tar", tar_of([*members, *sample("c", other, image_id=41)]))

    pairs = read(tmp_path).pairs

    assert [(pair.image_id, pair.text) for pair in pairs] == [(40, "one"), (40, "two"), (41, None)]
    assert [pair.image.name for pair in pairs] == ["train.tar/a.jpg", "train.tar/a.jpg", "train.tar/c.jpg"]


def test_equal_names_in_the_folders_of_two_splits_are_two_files(tmp_path: Path) -> None:
    for split in ("train", "test"):
        write(tmp_path / split / "000000.tar", tar_of([*scene("a"), *scene("b")]))
    whole = tar_of([*scene("a"), ("b.jpg", picture()), *scene("a"), ("c.txt", b"")])
    write(tmp_path / "broken" / "000000.tar", whole[: whole.index(b"c.txt") + 100])

    (pair, _), dataset = read(tmp_path, "test").pairs, read(tmp_path, "broken")

    assert (pair.audio.name, pair.image.name) == ("test/000000.tar/a.wav", "test/000000.tar/a.jpg")
    assert pair.audio.read() == recording()
    assert dataset.missing == ["broken/000000.tar/b: a recording"]
    assert dataset.duplicates == [f"broken/000000.tar/a.{kind}" for kind in ("jpg", "wav", "txt")]
    assert [told.partition(": ")[0] for told in dataset.unreadable] == ["broken/000000.tar"]
    (tmp_path / "broken" / "000000.tar").unlink()
    assert check("webdataset", tmp_path, None, thorough=False).sound


def test_ids_are_told_by_all_samples_or_by_none(tmp_path: Path) -> None:
    write(tmp_path / "train.tar", tar_of([*scene("a"), *scene("b"), ("b.json", b'{"image_id": 1}')]))

    with pytest.raises(DatasetError, match=r"train\.tar/b: some samples tell their image_id"):
        read(tmp_path)


def test_half_samples_are_missing_and_notes_are_no_samples(tmp_path: Path) -> None:
    members = [*scene("a"), ("b.jpg", picture()), ("c.wav", recording()), ("readme.txt", b"hello")]
    write(tmp_path / "train.tar", tar_of(members))

    dataset = read(tmp_path)

    assert len(dataset.pairs) == 1
    assert dataset.missing == ["train.tar/b: a recording", "train.tar/c: an image"]


def test_members_that_are_there_again_are_left_out(tmp_path: Path) -> None:
    write(tmp_path / "train.tar", tar_of([*scene("a"), *scene("a", "other"), ("a.png", picture("png"))]))

    dataset = read(tmp_path)

    assert [pair.text for pair in dataset.pairs] == ["two cats"]
    assert dataset.duplicates == [f"train.tar/a.{kind}" for kind in ("jpg", "wav", "txt", "png")]


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("b.json", b"{", "b.json is not as it should be"),
        ("b.json", b"[]", "b.json is not as it should be"),
        ("b.json", b'{"image_id": "x"}', "b.json is not as it should be at image_id"),
        ("b.json", b'{"text": 3}', "b.json is not as it should be at text"),
        ("b.json", b" " * (1 << 20) + b"{}", "b.json has 1,048,578 bytes; 1,048,576 are the most"),
        ("b.txt", b"\xff", "b.txt is not UTF-8 text: byte 0 does not fit"),
    ],
)
def test_samples_that_cannot_be_understood_are_listed(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    members = [("b.jpg", picture()), ("b.wav", recording()), (name, data)]
    write(tmp_path / "train.tar", tar_of([*scene("a"), *members]))

    dataset = read(tmp_path)

    assert len(dataset.pairs) == 1
    (told,) = dataset.unreadable
    assert told.startswith(f"train.tar: {reason}")


def test_of_a_tar_that_broke_off_whole_samples_are_kept(tmp_path: Path) -> None:
    whole = tar_of([*scene("a"), *scene("b")])
    write(tmp_path / "train-0.tar", whole[: whole.index(b"b.wav") + 5_000])
    write(tmp_path / "train-1.tar", whole)

    dataset = read(tmp_path)

    assert [pair.utterance for pair in dataset.pairs] == ["train-0/a", "train-1/a", "train-1/b"]
    (told,) = dataset.unreadable
    assert told.startswith("train-0.tar: it breaks off within b.wav")
    assert dataset.missing == ["train-0.tar/b: a recording"]


def test_names_that_climb_stay_names(tmp_path: Path) -> None:
    write(tmp_path / "train.tar", tar_of([*scene("../../etc/passwd"), *scene("/abs")]))

    assert [pair.audio.read() for pair in read(tmp_path).pairs] == [recording()] * 2


def test_what_is_no_webdataset_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has no tar files"):
        read(tmp_path)
    with pytest.raises(DatasetError, match=r"train\.tar\.gz is no \.tar file"):
        read(write(tmp_path / "train.tar.gz", b""))
    with pytest.raises(
        DatasetError, match=r"nothing to use in its split train: 1 are missing or unreadable, train\.tar: "
    ):
        read(write(tmp_path / "train.tar", b"").parent)
