"""Single names as a WebDataset."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.fake_voices import Hum, use_voices
from training.datasets import open_dataset
from training.errors import NotReady
from training.nano.lexicon import load_lexicon
from training.nano.speech import make_shard
from training.published.names import write_names
from training.published.samples import read_wave


@pytest.fixture
def work(packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten utterances by machines, none by people."""
    use_voices(monkeypatch, hum=Hum)
    folder = tmp_path / "work"
    make_shard(packages, folder / "speech", 1, 10)
    (folder / "packages").symlink_to(packages)
    return folder


def test_what_is_said_goes_with_a_drawing_of_it(work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.published.names.SHARD", 8)
    written = write_names(work, tmp_path / "out", 20, "names", seed=1)
    dataset, lexicon = open_dataset("webdataset", tmp_path / "out", "names"), load_lexicon(work / "packages")

    assert [path.name for path in written] == [f"names-00000{number}.tar" for number in range(3)]
    assert 15 <= len(dataset.pairs) <= 20  # the clock is drawn by some vendors only
    assert (dataset.missing, dataset.unreadable, dataset.duplicates) == ([], [], [])
    images = dict[int, bytes]()
    for pair in dataset.pairs:
        assert pair.text in lexicon.members
        assert np.abs(read_wave(pair.audio.read())).max() > 0.01
        assert images.setdefault(pair.image_id, pair.image.read()) == pair.image.read()
    with Image.open(BytesIO(next(iter(images.values())))) as image:
        assert image.size == (64, 64)


def test_a_seed_decides_everything(work: Path, tmp_path: Path) -> None:
    one, same, other = (
        write_names(work, tmp_path / name, 6, "names", seed)[0].read_bytes()
        for name, seed in (("one", 1), ("same", 1), ("other", 2))
    )

    assert one == same
    assert one != other


def test_there_has_to_be_speech(packages: Path, tmp_path: Path) -> None:
    (tmp_path / "packages").symlink_to(packages)

    with pytest.raises(NotReady, match="there is no speech"):
        write_names(tmp_path, tmp_path / "out", 6, "names", 1)
    assert not (tmp_path / "out").exists()
