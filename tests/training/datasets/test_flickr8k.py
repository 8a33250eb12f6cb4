"""Flickr8k and its spoken captions, as the two come."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.datasets.tiny_corpora import (
    FLICKR_SPLITS,
    flickr_caption,
    flickr_ids,
    flickr_images,
    picture,
    recording,
    write,
    write_flickr,
)
from training.datasets import Dataset, open_dataset
from training.errors import DatasetError

FIRST, SECOND = FLICKR_SPLITS["test"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_flickr(tmp_path / "flickr")


def read(root: Path, split: str = "test") -> Dataset:
    return open_dataset("flickr8k", root, split)


@pytest.mark.parametrize("split", FLICKR_SPLITS)
def test_every_recording_of_every_image_of_a_split_is_a_pair(root: Path, split: str) -> None:
    dataset = read(root, split)

    assert (dataset.name, dataset.split) == ("flickr8k", split)
    assert [pair.utterance for pair in dataset.pairs] == [
        f"{image}_{number}" for image in FLICKR_SPLITS[split] for number in range(5)
    ]
    assert (dataset.missing, dataset.unreadable, dataset.duplicates) == ([], (), [])


def test_a_pair_is_a_recording_an_image_its_id_and_what_is_said(root: Path) -> None:
    write(root / "flickr_audio" / "wavs" / f"{FIRST}_3.wav", recording(0.7))
    write(root / "Images" / f"{FIRST}.jpg", picture(shade=1))

    pair = read(root).pairs[3]

    assert pair.audio.name == f"flickr_audio/wavs/{FIRST}_3.wav"
    assert pair.audio.read() == recording(0.7)
    assert pair.image.name == f"Images/{FIRST}.jpg"
    assert pair.image.read() == picture(shade=1)
    assert pair.text == flickr_caption(FIRST, 3)
    assert pair.image_id == 100 + flickr_images().index(FIRST)


def test_val_is_another_name_of_dev(root: Path) -> None:
    assert read(root, "val") == read(root, "dev")


def test_the_number_of_a_caption_is_the_end_of_the_recordings_name(root: Path) -> None:
    for number in (0, 1, 3):
        (root / "flickr_audio" / "wavs" / f"{FIRST}_{number}.wav").unlink()
    write(root / "flickr_audio" / "wavs" / f"{FIRST}_12.wav", recording())

    dataset = read(root)

    said = {pair.utterance: pair.text for pair in dataset.pairs if pair.utterance.startswith(FIRST)}
    assert said == {
        f"{FIRST}_2": flickr_caption(FIRST, 2),
        f"{FIRST}_4": flickr_caption(FIRST, 4),
        f"{FIRST}_12": None,
    }
    assert dataset.missing == [f"flickr_audio/wavs/{FIRST}_{number}.wav" for number in (0, 1, 3)]


def test_an_image_without_a_recording_is_left_out_and_listed(root: Path) -> None:
    for number in range(5):
        (root / "flickr_audio" / "wavs" / f"{FIRST}_{number}.wav").unlink()

    dataset = read(root)

    assert {pair.image.name for pair in dataset.pairs} == {f"Images/{SECOND}.jpg"}
    assert len(dataset.missing) == 5

    (root / "Flickr8k.token.txt").unlink()
    assert read(root).missing == [f"flickr_audio/wavs/{FIRST}_*.wav"]


def test_recordings_whose_image_is_not_there_are_left_out_and_the_image_is_listed_once(root: Path) -> None:
    (root / "Images" / f"{FIRST}.jpg").unlink()

    dataset = read(root)

    assert len(dataset.pairs) == 5
    assert dataset.missing == [f"Images/{FIRST}.jpg"]


def test_without_the_file_of_ids_they_are_places_among_all_images(root: Path) -> None:
    (root / "Flickr8k_idPairs.json").unlink()

    images = flickr_images()
    ids = {pair.image.name: pair.image_id for split in FLICKR_SPLITS for pair in read(root, split).pairs}

    assert ids == {f"Images/{image}.jpg": place for place, image in enumerate(images)}


def test_an_image_that_the_file_of_ids_does_not_know_is_refused(root: Path) -> None:
    ids = flickr_ids()
    assert isinstance(ids["filename2Id"], dict)
    del ids["filename2Id"][SECOND]
    write(root / "Flickr8k_idPairs.json", json.dumps(ids))

    with pytest.raises(DatasetError, match=f"no id for 1 images, such as {SECOND}"):
        read(root)


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", "[]", "null", '{"filename2Id": 3}', '{"filename2Id": {"a": "b"}}', '{"filename2Id": {"a": -1}}'),
        *('{"filename2Id": {"a": 9223372036854775808}}', "[" * 100_000, b"\xff\xfe"),
    ],
)
def test_a_broken_file_of_ids_is_one_sentence(root: Path, content: str | bytes) -> None:
    write(root / "Flickr8k_idPairs.json", content)

    with pytest.raises(DatasetError, match=r"Flickr8k_idPairs\.json is not as it should be"):
        read(root)


def test_captions_may_come_as_a_table(root: Path) -> None:
    (root / "Flickr8k.token.txt").unlink()
    rows = [f'{FIRST}.jpg,"A dog , a ""cat"" ."', f"{SECOND}.jpg,Second .", f"{FIRST}.jpg,A child ."]
    write(root / "captions.txt", "\r\n".join(["image,caption", *rows, ""]))

    texts = {pair.utterance: pair.text for pair in read(root).pairs}

    assert texts[f"{FIRST}_0"] == 'A dog , a "cat" .'
    assert texts[f"{FIRST}_1"] == "A child ."
    assert texts[f"{FIRST}_2"] is None
    assert texts[f"{SECOND}_0"] == "Second ."


def test_captions_as_people_wrote_them_go_before_those_of_lemmas(root: Path) -> None:
    write(root / "Flickr8k.lemma.token.txt", f"{FIRST}.jpg#0\tA dog be run .\n")
    assert read(root).pairs[0].text == flickr_caption(FIRST, 0)

    (root / "Flickr8k.token.txt").unlink()
    assert read(root).pairs[0].text == "A dog be run ."


def test_captions_of_the_file_name_that_is_no_image_are_nobodys(root: Path) -> None:
    """The real list has five lines of an image called `.jpg.1`."""
    with (root / "Flickr8k.token.txt").open("a") as file:
        file.write(f"{FIRST}.jpg.1#0\tTwo people .\n")

    assert read(root).pairs[0].text == flickr_caption(FIRST, 0)


def test_an_image_that_is_listed_twice_counts_once(root: Path) -> None:
    write(root / "Flickr_8k.testImages.txt", f"{FIRST}.jpg\n\n{SECOND}.jpg\r\n{FIRST}.jpg")

    dataset = read(root)

    assert len(dataset.pairs) == 10
    assert dataset.duplicates == [f"Flickr_8k.testImages.txt: {FIRST}.jpg"]


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/passwd", "a/../../b.jpg", "a\0b.jpg", "."])
def test_an_image_outside_the_corpus_is_refused(root: Path, name: str) -> None:
    write(root / "Flickr_8k.testImages.txt", f"{FIRST}.jpg\n{name}\n")

    with pytest.raises(DatasetError, match="no path below the corpus"):
        read(root)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("Flickr_8k.testImages.txt", b"\xff\xfe.jpg\n", "is not UTF-8 text: byte 0"),
        ("Flickr8k.token.txt", b"a.jpg#0\t\xe9", "is not UTF-8 text: byte 8"),
        ("Flickr8k.token.txt", b"a.jpg#0\tdog\nno tab", "Flickr8k.token.txt:2 is not"),
    ],
)
def test_a_list_that_cannot_be_understood_is_one_sentence(root: Path, name: str, content: bytes, reason: str) -> None:
    write(root / name, content)

    with pytest.raises(DatasetError, match=reason):
        read(root)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "does not begin with the line image,caption"),
        ("a,b\n", "does not begin"),
        ("image,caption\na.jpg,b,c\n", r"captions\.txt:2 has 3 values"),
        ('image,caption\na.jpg,"b\n', r"captions\.txt:\d cannot be read"),
    ],
)
def test_a_broken_table_of_captions_is_one_sentence(root: Path, content: str, reason: str) -> None:
    (root / "Flickr8k.token.txt").unlink()
    write(root / "captions.txt", content)

    with pytest.raises(DatasetError, match=reason):
        read(root)


def test_names_that_are_not_utf8_and_strangers_are_passed_over(root: Path) -> None:
    wavs = root / "flickr_audio" / "wavs"
    for name in (b"\xff\xfe_0.wav", b"notes.txt", b"_0.wav", f"{FIRST}_x.wav".encode()):
        Path(str(wavs).encode().decode() + "/" + name.decode("utf-8", "surrogateescape")).write_bytes(b"")
    (wavs / f"{FIRST}_9.wav").mkdir()

    assert len(read(root).pairs) == 10


def test_a_folder_without_lists_or_recordings_is_told(root: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="is no Flickr8k"):
        read(tmp_path / "empty")

    for wav in (root / "flickr_audio" / "wavs").iterdir():
        wav.unlink()
    with pytest.raises(DatasetError, match="has no recordings"):
        read(root)


def test_an_empty_list_has_nothing_to_use(root: Path) -> None:
    write(root / "Flickr_8k.testImages.txt", "\n \n")

    with pytest.raises(DatasetError, match="nothing to use in its split test"):
        read(root)
