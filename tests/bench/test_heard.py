"""The figures of `words=`, of a tiny model that knows nothing: their shape, and that nothing is lost by weight 0."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.demo.collections import image_records, lexicon
from bench import heard
from bench.heard import WEIGHTS
from index.ranking import Hit
from tests.tiny_model import save_tiny_model
from tests.training.fake_voices import tone
from training.nano.evaluate import Trial


@pytest.fixture(autouse=True)
def _one_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """A word that drawings have, and one that none has."""
    spoken = Trial([tone("camel", 0.5), tone("quux", 0.5)], ["camel", "quux"])
    monkeypatch.setattr(heard, "load_lexicon", lambda packages: None)
    monkeypatch.setattr(heard, "trials", lambda lexicon: {"words": spoken})
    monkeypatch.setattr(heard, "lexicon", lambda: [one for one in lexicon() if "camel" in one.keywords])


def test_there_is_a_row_for_every_weight(tmp_path: Path) -> None:
    model = save_tiny_model(tmp_path / "tiny", branch="hybrid+")
    (section,) = heard.heard(str(model), tmp_path).sections

    assert (section.title, [row["words"] for row in section.rows]) == ("words", list(WEIGHTS))
    assert [row["utterances"] for row in section.rows] == [1] * len(WEIGHTS)
    assert all(row["R@10"] == 100.0 for row in section.rows)


def test_without_slots_there_is_nothing_to_measure(tmp_path: Path) -> None:
    model = save_tiny_model(tmp_path / "tiny")

    with pytest.raises(SystemExit, match="no keyword slots"):
        heard.heard(str(model), tmp_path)


def test_a_picture_that_is_not_among_the_nearest_is_behind_them() -> None:
    hits = [Hit(record, 0.5) for record in image_records(lexicon())]
    last = hits[-1].record.caption or ""

    assert 1 <= heard._rank(hits, last) <= len(hits)
    assert heard._rank(hits, "quux") == len(hits) + 1
