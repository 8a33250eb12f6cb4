"""A tar file of scenes, made with voices that cost nothing."""

from __future__ import annotations

import io
import json
import random
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from tests.training.scenes.scene_packages import Choir, members, open_catalogue, picture_of
from training.datasets import open_dataset
from training.nano.drawings import HELD_OUT
from training.scenes.captions import MOST_WORDS
from training.scenes.geometry import SIDE
from training.scenes.shards import Recipe, draw_scene, make_shard
from training.scenes.splits import TEST_DRAWINGS, TRAIN


@pytest.fixture(autouse=True)
def choir(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.scenes.shards.heard_in_training", lambda packages: {"espeak": lambda: Choir("heard")})
    monkeypatch.setattr("training.scenes.shards.never_heard", lambda packages: {"flite": lambda: Choir("unheard")})


@pytest.fixture
def recipe(packages: Path) -> Recipe:
    return Recipe(packages, 1, {"espeak": 1.0}, {"flite": 1.0}, size=4)


def test_the_reader_finds_five_captions_of_each_image(recipe: Recipe, tmp_path: Path) -> None:
    for number in range(2):
        make_shard(recipe, tmp_path / f"test_voices-{number:06d}.tar", "test_voices", number)
    read = open_dataset("webdataset", tmp_path, "test_voices")

    assert (read.missing, read.unreadable, read.duplicates) == ([], [], [])
    assert [pair.image_id for pair in read.pairs] == [image for image in range(8) for _ in range(5)]
    assert read.pairs[5].utterance == "test_voices-000000/000001.0"
    assert all(pair.text and len(pair.text.split()) <= MOST_WORDS for pair in read.pairs)


def test_members_are_pictures_recordings_and_what_they_are(recipe: Recipe, tmp_path: Path) -> None:
    found = members(make_shard(recipe, tmp_path / "train-000003.tar", "train", 3))

    assert [name for name in found if name.startswith("000012")] == [
        "000012.jpg",
        *(f"000012.{label}.{kind}" for label in range(5) for kind in ("flac", "txt")),
        "000012.json",
    ]
    assert picture_of(found["000012.jpg"]).size == (SIDE, SIDE)
    facts = json.loads(found["000012.json"])
    assert facts["image_id"] == 12
    for label, caption in enumerate(facts["captions"]):
        wave, rate = soundfile.read(io.BytesIO(found[f"000012.{label}.flac"]))
        assert (rate, wave.ndim) == (16_000, 1)
        assert len(wave) / rate == pytest.approx(caption["seconds"], abs=1e-3)
        assert np.abs(wave).max() == pytest.approx(0.98, abs=0.01)
        assert found[f"000012.{label}.txt"].decode() == caption["text"]
        assert caption["voice"].startswith("heard/")
    assert all(re.fullmatch(r"(noto|noto-v1|openmoji)/1?2?[0-9a-f]+", thing["drawing"]) for thing in facts["things"])


def test_the_test_of_voices_has_other_voices(recipe: Recipe, tmp_path: Path) -> None:
    found = members(make_shard(recipe, tmp_path / "x.tar", "test_voices", 0))
    voices = [caption["voice"] for name in found if name.endswith(".json") for caption in _captions(found[name])]

    assert len(voices) == 20
    assert all(voice.startswith("unheard/") for voice in voices)


def _captions(data: bytes) -> list[dict[str, str]]:
    return list(json.loads(data)["captions"])


def test_the_same_bytes_come_out_again(recipe: Recipe, tmp_path: Path) -> None:
    make_shard(recipe, tmp_path / "other.tar", "dev", 5)
    paths = [make_shard(recipe, tmp_path / f"{name}.tar", "train", 1) for name in "ab"]

    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].read_bytes() != (tmp_path / "other.tar").read_bytes()


def test_another_seed_or_split_gives_other_scenes(packages: Path) -> None:
    drawn = open_catalogue(packages, HELD_OUT)

    assert draw_scene(drawn, TEST_DRAWINGS, 1, 0) == draw_scene(drawn, TEST_DRAWINGS, 1, 0)
    scenes = [draw_scene(drawn, split, seed, 0) for split in (TEST_DRAWINGS, TRAIN) for seed in (1, 2)]
    assert all(one != other for one in scenes for other in scenes if one is not other)


def test_nothing_is_there_until_it_is_whole(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make_shard(recipe, tmp_path / "whole.tar", "train", 0).read_bytes()

    class Tired(Choir):
        left = 12

        def speak(self, phrase: str, rng: random.Random) -> tuple[NDArray[np.float32], str]:
            self.left -= 1
            if not self.left:
                raise OSError("no voice left")
            return super().speak(phrase, rng)

    with monkeypatch.context() as patch:
        patch.setattr("training.scenes.shards.heard_in_training", lambda packages: {"espeak": Tired})
        with pytest.raises(OSError, match="no voice left"):
            make_shard(recipe, tmp_path / "train-000000.tar", "train", 0)
    assert not (tmp_path / "train-000000.tar").exists()

    assert make_shard(recipe, tmp_path / "train-000000.tar", "train", 0).read_bytes() == whole
    assert list(tmp_path.glob("*.partial")) == []
