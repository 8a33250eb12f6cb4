"""Opening a corpus by the kind of its layout."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from tests.training.datasets.tiny_corpora import FLICKR_SPLITS, write_flickr
from training.datasets import KINDS, open_dataset
from training.errors import DatasetError, NotReady


def test_an_unknown_kind_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="'places' is no kind of corpus; there are flickr8k, spokencoco, spokencoco"):
        open_dataset("places", tmp_path, "test")


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_that_is_not_there_or_empty_is_one_sentence(tmp_path: Path, kind: str) -> None:
    for root in (tmp_path / "nowhere\x1b[2J", tmp_path):
        with pytest.raises(NotReady) as caught:
            open_dataset(kind, root, "test")
        assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("kind", ["flickr8k", "spokencoco", "spokencoco-plain"])
def test_a_file_is_no_folder(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(DatasetError, match="there is no folder"):
        open_dataset(kind, tmp_path / "file", "test")


@pytest.mark.parametrize("kind", ["manifest", "webdataset"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    for name in ("my.csv", "my.tar"):
        os.mkfifo(tmp_path / name)

    with pytest.raises(DatasetError):
        open_dataset(kind, tmp_path / ("my.csv" if kind == "manifest" else "my.tar"), "all")


def test_a_pair_goes_to_another_process(tmp_path: Path) -> None:
    dataset = open_dataset("flickr8k", write_flickr(tmp_path), "test")

    assert pickle.loads(pickle.dumps(dataset)) == dataset  # noqa: S301


def test_a_file_that_is_gone_later_is_one_sentence(tmp_path: Path) -> None:
    pair = open_dataset("flickr8k", write_flickr(tmp_path), "test").pairs[0]
    (tmp_path / "Images" / f"{FLICKR_SPLITS['test'][0]}.jpg").unlink()

    with pytest.raises(DatasetError, match=r"Images/.*\.jpg cannot be read: No such file"):
        pair.image.read()


def test_a_file_of_gigabytes_is_refused(tmp_path: Path) -> None:
    write_flickr(tmp_path)
    wav = tmp_path / "flickr_audio" / "wavs" / f"{FLICKR_SPLITS['test'][0]}_0.wav"
    with wav.open("wb") as file:
        file.truncate(1 << 33)

    with pytest.raises(DatasetError, match="has 8,589,934,592 bytes; 268,435,456 are the most"):
        open_dataset("flickr8k", tmp_path, "test").pairs[0].audio.read()
