from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.clip import unit
from models.encoder import pad
from models.speechclip import SpeechClip
from tests.tiny_model import Style, tiny_config, tiny_speechclip

Noises = Callable[[Sequence[int]], list[NDArray[np.float32]]]


@pytest.fixture
def model(style: Style) -> SpeechClip:
    return tiny_speechclip(tiny_config(style)).requires_grad_(False)


def test_an_embedding_is_independent_of_the_rest_of_the_batch(model: SpeechClip, noises: Noises) -> None:
    waves = noises([1_600, 48_000, 7_201])
    together = model.embed_speech(*pad(waves))

    assert together.shape == (3, 8)
    for place, wave in enumerate(waves):
        torch.testing.assert_close(together[place], model.embed_speech(*pad([wave]))[0], rtol=0, atol=1e-5)


def test_it_does_depend_on_it_by_the_official_rule(model: SpeechClip, noises: Noises) -> None:
    short, long = noises([1_600, 48_000])
    alone = model.embed_speech(*pad([short]), "official")
    together = model.embed_speech(*pad([short, long]), "official")

    assert (together[0] - alone[0]).abs().max() > 1e-4


def test_different_utterances_have_different_embeddings(model: SpeechClip, noises: Noises) -> None:
    first, second = model.embed_speech(*pad(noises([8_000, 8_000])))

    assert first @ second < 0.999


def test_every_embedding_is_of_unit_length(model: SpeechClip, noises: Noises) -> None:
    speech = model.embed_speech(*pad(noises([2_000, 3_000])))
    images = model.embed_images(torch.randn(2, 3, 16, 16))
    texts = model.embed_texts(torch.tensor([[612, 5, 613, *[0] * 9], [612, 613, *[0] * 10]]))

    for embeddings in (speech, images, texts):
        assert embeddings.shape == (2, 8)
        assert embeddings.dtype == torch.float32
        torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))


def test_a_text_ends_at_its_end(model: SpeechClip) -> None:
    short = model.embed_texts(torch.tensor([[612, 5, 613, *[0] * 9]]))
    filled = model.embed_texts(torch.tensor([[612, 5, 613, *[7] * 9]]))

    torch.testing.assert_close(short, filled)


def test_the_head_is_as_wide_as_configured_and_four_times_the_frames_by_default() -> None:
    config = tiny_config()
    plain = config.model_copy(update={"parallel": config.parallel.model_copy(update={"ffn_size": None})})

    def width(model: SpeechClip) -> int:
        return len(model.state_dict()["parallel_branch.self_att.model.layers.0.linear1.weight"])

    assert width(tiny_speechclip(config)) == 32
    assert width(tiny_speechclip(plain)) == 64


def test_the_parts_make_the_whole(model: SpeechClip, noises: Noises) -> None:
    waves, lengths = pad(noises([4_000]))
    frames = model.audio_encoder(waves, lengths)

    torch.testing.assert_close(
        unit(model.parallel_branch(frames.features, frames.lengths)), model.embed_speech(waves, lengths)
    )
