"""What a checkpoint was trained with."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.fake_voices import tone
from training.nano.batches import SpokenCorpus
from training.nano.corpora import Weighted
from training.nano.digest import digest
from training.nano.recipe import Recipe
from training.nano.speech import Utterance
from training.nano.spoken_scenes import SpokenScenes


def said(phrase: str = "dog", voice: str = "hum/plain", loudness: float = 0.5, weight: float = 1.0) -> Weighted:
    samples = (tone("dog", 0.3, loudness) * 32767).astype(np.int16)
    return SpokenCorpus([(samples, [Utterance(phrase, voice, 0, len(samples))])]), np.array([weight])


def scenes(shade: int) -> SpokenScenes:
    return SpokenScenes((np.zeros(0, np.int16), []), np.full((1, 64, 64, 3), shade, np.uint8), {})


def test_the_same_is_the_same() -> None:
    assert digest(said(), scenes(7), [Recipe().again, 3]) == digest(said(), scenes(7), [Recipe().again, 3])


@pytest.mark.parametrize("other", [said("cat"), said(voice="murmur/plain"), said(loudness=0.4), said(weight=2.0)])
def test_whatever_is_heard_counts(other: Weighted) -> None:
    assert digest(other, None, []) != digest(said(), None, [])


def test_pictures_and_settings_count() -> None:
    pictures = [None, scenes(7), scenes(8)]
    settings = [[], [Recipe().again], [Recipe().again.model_copy(update={"steps": 3})]]

    assert len({digest(said(), one, other) for one in pictures for other in settings}) == 9
