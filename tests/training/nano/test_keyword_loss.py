"""The loss of keywords: as many as there are words, each told its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.clip import Tokenizer
from models.hubert import Frames
from tests.training.fake_voices import tone
from tests.training.tiny_pairs import tiny_keywords
from tests.training.tiny_recipe import tiny_recipe
from training.nano.batches import Batch
from training.nano.keyword_loss import QUANTITY_WEIGHT, KeywordLoss
from training.nano.listener import Listener
from training.published.vocabulary import count_subwords, in_order

PHRASES = ["cat", "dog heart", "heart dog cat"]
TOKENS = Tokenizer.of(tiny_recipe().model.clip.text)
VOCABULARY = in_order(count_subwords(PHRASES, TOKENS), TOKENS)


@pytest.fixture
def listener() -> Listener:
    torch.manual_seed(3)
    return Listener(tiny_recipe().model, 4)


@pytest.fixture
def keywords() -> KeywordLoss:
    return tiny_keywords(PHRASES)


@pytest.fixture
def frames(listener: Listener) -> Frames:
    """Of one utterance of each phrase."""
    waves = torch.from_numpy(np.stack([tone(phrase, 1.2) for phrase in PHRASES]))
    with torch.no_grad():
        return listener.frames(Batch(waves, torch.full((3,), waves.shape[1]), torch.arange(3)))


def test_as_many_keywords_are_made_as_there_are_words(
    listener: Listener, keywords: KeywordLoss, frames: Frames
) -> None:
    words = torch.tensor([1, 2, 3])

    assert listener.keywords(frames, words, keywords.subwords).counts.tolist() == words.tolist()
    assert listener.keywords(frames, words.flip(0), keywords.subwords).counts.tolist() == [3, 2, 1]


def test_the_quantity_is_how_far_the_frames_are_from_that_by_themselves(
    listener: Listener, keywords: KeywordLoss, frames: Frames
) -> None:
    fired = listener.keywords(frames, torch.tensor([1, 2, 3]), keywords.subwords).fired
    assert fired
    away = (fired.quantity - torch.tensor([1, 2, 3])).abs().mean()

    assert keywords(listener, frames, torch.arange(3))["quantity"].item() == pytest.approx(
        QUANTITY_WEIGHT * away.item()
    )


def test_words_are_learnt_in_their_order(listener: Listener, keywords: KeywordLoss, frames: Frames) -> None:
    rate = torch.optim.Adam(listener.cascaded_branch.parameters(), 0.01)
    for _ in range(150):
        loss = torch.stack(list(keywords(listener, frames, torch.arange(3)).values())).sum()
        rate.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        rate.step()
    found = listener.keywords(frames, torch.tensor([1, 2, 3]), keywords.subwords)
    heard = [
        [VOCABULARY[row] for row in rows[:count]]
        for rows, count in zip(found.targets.tolist(), found.counts.tolist(), strict=True)
    ]

    for phrase, slots in zip(PHRASES, heard, strict=True):
        assert [one in TOKENS.encode(word) for one, word in zip(slots, phrase.split(), strict=True)] == [True] * len(
            slots
        )


def test_half_precision_makes_no_coarse_steps_of_the_similarities(
    listener: Listener, keywords: KeywordLoss, frames: Frames
) -> None:
    with torch.no_grad():
        exact = keywords(listener, frames, torch.arange(3))["words"].item()
        with torch.autocast("cpu", torch.bfloat16):
            half = keywords(listener, frames, torch.arange(3))["words"]

    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(exact, rel=0.05)
