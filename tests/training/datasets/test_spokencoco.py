"""SpokenCOCO, in both of its splits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.training.datasets.tiny_corpora import coco_entry, picture, recording, wavs_of, write, write_coco
from training.datasets import Dataset, open_dataset
from training.errors import DatasetError

IMAGE = "val2014/COCO_val2014_000000325114"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_coco(tmp_path / "coco")


def listing(root: Path, *entries: object, name: str = "SpokenCOCO_ksplit_test") -> None:
    write(root / "SpokenCOCO" / f"{name}.json", json.dumps({"data": entries}))


def read(root: Path, split: str = "test", kind: str = "spokencoco") -> Dataset:
    return open_dataset(kind, root, split)


def entry(id: int | None = 8, **changes: Any) -> dict[str, Any]:
    return {**coco_entry("val", IMAGE, id), **changes}


def test_karpathys_split_takes_ids_from_the_list(root: Path) -> None:
    dataset = read(root)

    assert (dataset.name, dataset.split) == ("spokencoco", "test")
    assert [pair.image_id for pair in dataset.pairs] == [8, 8]
    assert dataset.missing == []


def test_the_plain_split_takes_the_number_of_coco(root: Path) -> None:
    dataset = read(root, "val", "spokencoco-plain")

    assert (dataset.name, dataset.split) == ("spokencoco-plain", "val")
    assert [pair.image_id for pair in dataset.pairs] == [325114, 325114]


def test_a_pair_is_a_recording_an_image_and_the_text_in_small_letters(root: Path) -> None:
    pair = read(root).pairs[1]

    assert pair.utterance == "m1vjq8cayvs6c9-1NLZY2D53_325114_629298"
    assert pair.audio.name == f"SpokenCOCO/wavs/val/0/{pair.utterance}.wav"
    assert pair.audio.read() == recording()
    assert pair.image.name == f"mscoco_img/{IMAGE}.jpg"
    assert pair.image.read() == picture()
    assert pair.text == "a urinal in a public restroom, 1"


def test_without_uttid_an_utterance_is_called_as_its_file(root: Path) -> None:
    first = entry()
    listing(root, {**first, "captions": [{"text": "A", "wav": wavs_of(first)[0]}]})

    assert [pair.utterance for pair in read(root).pairs] == ["m1vjq8cayvs6c9-0NLZY2D53_325114_629297"]


def test_missing_recordings_and_images_are_listed(root: Path) -> None:
    (root / "SpokenCOCO" / wavs_of(entry())[0]).unlink()
    absent = coco_entry("val", "val2014/COCO_val2014_000000000001", 9)
    listing(root, entry(), absent)

    dataset = read(root)

    assert len(dataset.pairs) == 1
    assert dataset.missing == [
        f"SpokenCOCO/{wavs_of(entry())[0]}",
        f"SpokenCOCO/{wavs_of(absent)[0]}",
        "mscoco_img/val2014/COCO_val2014_000000000001.jpg",
        f"SpokenCOCO/{wavs_of(absent)[1]}",
    ]


def test_when_all_is_missing_one_sentence_tells_it(root: Path) -> None:
    (root / "mscoco_img" / f"{IMAGE}.jpg").unlink()

    with pytest.raises(DatasetError, match="nothing to use in its split test: 1 are missing or unreadable, mscoco_img"):
        read(root)


def test_an_utterance_that_is_listed_twice_counts_once(root: Path) -> None:
    listing(root, entry(), entry(id=9))

    dataset = read(root)

    assert [pair.image_id for pair in dataset.pairs] == [8, 8]
    assert [line.rpartition("_")[2] for line in dataset.duplicates] == ["629297", "629298"]


def test_karpathys_split_needs_its_ids(root: Path) -> None:
    listing(root, entry(id=None))

    with pytest.raises(DatasetError, match=r"SpokenCOCO_ksplit_test\.json has no reassign_id for val2014/COCO"):
        read(root)


def test_the_plain_split_needs_numbers_of_coco(root: Path) -> None:
    listing(root, entry(image="val2014/dog.jpg"), name="SpokenCOCO_val")

    with pytest.raises(DatasetError, match=r"dog\.jpg, which has no number of COCO"):
        read(root, "val", "spokencoco-plain")


@pytest.mark.parametrize("bad", ["../../secret", "/etc/passwd", "wavs/../../x.wav", ""])
def test_paths_out_of_the_corpus_are_refused(root: Path, bad: str) -> None:
    listing(root, entry(captions=[{"text": "A", "wav": bad, "uttid": "u"}]))
    with pytest.raises(DatasetError, match="no path below the corpus"):
        read(root)

    listing(root, entry(image=bad))
    with pytest.raises(DatasetError, match="no path below the corpus"):
        read(root)


@pytest.mark.parametrize(
    "content",
    [
        *("", "{", '{"data": {}}', '{"data": [{}]}', '{"data": [{"image": 3, "captions": []}]}', "[" * 100_000),
        b"\xff",
        '{"data": [{"image": "a_1.jpg", "captions": [{"text": null, "wav": "w"}], "reassign_id": 1}]}',
        '{"data": [{"image": "a_1.jpg", "captions": [], "reassign_id": 1e400}]}',
    ],
)
def test_a_broken_list_is_one_sentence(root: Path, content: str | bytes) -> None:
    write(root / "SpokenCOCO" / "SpokenCOCO_ksplit_test.json", content)

    with pytest.raises(DatasetError, match=r"SpokenCOCO_ksplit_test\.json is not as it should be") as caught:
        read(root)
    assert "\n" not in str(caught.value)


def test_only_splits_that_are_there_can_be_read(root: Path) -> None:
    with pytest.raises(DatasetError, match="no split 'val'; there are train, test"):
        read(root, "val")
    with pytest.raises(DatasetError, match=r"no split '\.\./\.\./etc'"):
        read(root, "../../etc")
    with pytest.raises(DatasetError, match=r"has no SpokenCOCO/SpokenCOCO_ksplit_val\.json"):
        read(root / "mscoco_img")


def test_an_empty_list_has_nothing_to_use(root: Path) -> None:
    listing(root)

    with pytest.raises(DatasetError, match="nothing to use in its split test"):
        read(root)
