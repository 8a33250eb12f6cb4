"""The figures of `words=`, of a tiny model that knows nothing: their shape, and that nothing is lost by weight 0."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.demo.collections import lexicon
from bench import heard
from bench.heard import WEIGHTS
from tests.tiny_model import save_tiny_model
from tests.training.fake_voices import tone
from tests.training.tiny_scenes import write_scenes
from training.nano.evaluate import Trial


@pytest.fixture(autouse=True)
def _one_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """A word that drawings have, and one that none has."""
    spoken = Trial([tone("camel", 0.5), tone("quux", 0.5)], ["camel", "quux"])
    monkeypatch.setattr(heard, "load_lexicon", lambda packages: None)
    monkeypatch.setattr(heard, "trials", lambda lexicon: {"words": spoken})
    monkeypatch.setattr(heard, "lexicon", lambda: [one for one in lexicon() if "camel" in one.keywords])


def test_there_is_a_row_for_every_weight_with_names_and_without(tmp_path: Path) -> None:
    model = save_tiny_model(tmp_path / "tiny", branch="hybrid+")
    (section,) = heard.heard(str(model), tmp_path).sections

    assert section.title == "words"
    assert [(row["drawings"], row["words"]) for row in section.rows] == [
        (drawings, weight) for drawings in ("named", "pictures alone") for weight in WEIGHTS
    ]
    assert {row["utterances"] for row in section.rows} == {1}
    assert {row["R@10"] for row in section.rows} == {100.0}


def test_sentences_look_for_the_pictures_of_their_scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heard, "VOICES", "dev")
    model = save_tiny_model(tmp_path / "tiny", branch="hybrid+")
    write_scenes(tmp_path / "scenes")
    *_, section = heard.heard(str(model), tmp_path, tmp_path / "scenes").sections

    assert section.title == "scenes, dev"
    assert [(row["drawings"], row["words"]) for row in section.rows] == [("pictures alone", one) for one in WEIGHTS]
    assert {row["R@10"] for row in section.rows} == {100.0}


def test_without_slots_there_is_nothing_to_measure(tmp_path: Path) -> None:
    model = save_tiny_model(tmp_path / "tiny")

    with pytest.raises(SystemExit, match="no keyword slots"):
        heard.heard(str(model), tmp_path)


def test_a_picture_that_is_not_among_the_nearest_is_behind_them() -> None:
    found = [["dog", "pet"], ["camel", "pet"]]

    assert [heard._rank(found, phrase) for phrase in ("pet", "camel", "quux")] == [1, 2, 3]
