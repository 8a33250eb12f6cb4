"""Live search measured: words at their own pace against a running service, and what keeping frames would do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.main import create_app
from app.settings import Settings
from bench import reencoding, stream
from bench.reencoding import cost_rows, load, same_row
from bench.stream import Heard, Word, answers, live, live_facts, live_rows, words
from models.audio import SAMPLE_RATE
from speechclip_client.results import Result
from tests.app.conftest import make_store
from tests.browser import serving
from tests.fake_encoder import FakeEncoder, tone
from tests.tiny_model import save_tiny_model


def results(*ids: str) -> tuple[Result, ...]:
    return tuple(Result(id=id, rank=rank, score=0.5) for rank, id in enumerate(ids, start=1))


def test_the_right_one_counts_from_when_on_it_stayed() -> None:
    told = [(-0.5, results("dog")), (-0.2, results("cat", "dog")), (0.1, results("dog")), (0.4, results("dog"))]
    assert stream._since(told, {"dog"}, 1) == 0.1
    assert stream._since(told, {"dog"}, 10) == -0.5
    assert stream._since(told, {"cat"}, 10) is None


def test_words_of_people_that_name_drawings(human_speech: Path) -> None:
    (word,) = words(human_speech, 1, seed=3)
    assert word.text in answers()
    assert stream.LEAD_S < word.end < len(word.samples) / SAMPLE_RATE - stream.TAIL_S / 2


def test_a_word_is_spoken_to_a_service_and_then_uploaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_store(tmp_path / "collections", FakeEncoder(), tmp_path)
    monkeypatch.setattr(stream, "answers", lambda: {"dog": {"dog"}})
    samples = np.concatenate([np.zeros(3200), tone("dog", 0.8), np.zeros(3200)]).astype(np.float32)
    with serving(create_app(Settings(data=tmp_path), FakeEncoder())) as url:
        tries = (live(url, [Word("dog", samples, 1.0)]) for _ in range(10))
        heard = next(heard for heard in tries if is_soon(heard[0]))

    assert heard[0].uploaded_right
    rows = live_rows(heard)
    assert [row["words"] for row in rows] == ["1 of 1"] * 4
    assert rows[1]["before its end"] == "0 of 1"
    assert live_facts(heard)[1]["is"] == "1 of 1"


def is_soon(heard: Heard) -> bool:
    """Half a second after the word at the latest, and before the final answer, unless the machine was held up."""
    return heard.shown is not None and heard.shown < 0.5 and heard.before_final


def test_what_encoding_again_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reencoding, "CLIPS_S", (1,))
    network, speech = load(str(save_tiny_model(tmp_path / "model"))), tone("cat", 1.0).astype(np.float32)

    (row,) = cost_rows(network, speech, rounds=1)
    assert row["seconds"] == 1
    # A model that normalises over the whole clip is another one with frames that are kept.
    same = same_row(network, [speech, speech[:4000]])
    assert same["utterances"] == 2
    assert same["smallest"] <= 1.0001
