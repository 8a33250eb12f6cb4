from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.clip import unit
from models.config import Branch
from models.errors import BranchError
from models.listeners import pad
from models.speechclip import SpeechClip
from tests.tiny_model import BRANCHES, VOCABULARY, Style, tiny_config, tiny_speechclip

Noises = Callable[[Sequence[int]], list[NDArray[np.float32]]]


@pytest.fixture
def model(style: Style) -> SpeechClip:
    return tiny_speechclip(tiny_config(style)).requires_grad_(False)


@pytest.fixture(params=BRANCHES)
def any_model(request: pytest.FixtureRequest, style: Style) -> SpeechClip:
    return tiny_speechclip(tiny_config(style, request.param)).requires_grad_(False)


def test_an_embedding_is_independent_of_the_rest_of_the_batch(any_model: SpeechClip, noises: Noises) -> None:
    waves = noises([1_600, 48_000, 7_201])
    for branch in any_model.config.branches:
        together = any_model.embed_speech(*pad(waves), branch=branch)

        assert together.shape == (3, 8)
        for place, wave in enumerate(waves):
            alone = any_model.embed_speech(*pad([wave]), branch=branch)[0]
            torch.testing.assert_close(together[place], alone, rtol=0, atol=1e-5)


def test_it_does_depend_on_it_by_the_official_rule(any_model: SpeechClip, noises: Noises) -> None:
    short, long = noises([1_600, 48_000])
    frames, alone = (any_model.audio_encoder(*pad(waves), "official") for waves in ([short, long], [short]))
    if any_model.config.cascaded is None:
        found = any_model.parallel_branch(frames.features, frames.lengths)
        expected = any_model.parallel_branch(alone.features, alone.lengths)
    else:
        found, expected = (any_model.keywords(each, "official").vectors for each in (frames, alone))

    assert (found[0, :1] - expected[0, :1]).abs().max() > 1e-4


def test_a_branch_that_is_not_there_is_refused_by_name(any_model: SpeechClip, noises: Noises) -> None:
    waves, lengths = pad(noises([4_000]))
    frames = any_model.audio_encoder(waves, lengths)
    both: tuple[Branch, ...] = ("parallel", "cascaded")
    for branch in set(both) - set(any_model.config.branches):
        with pytest.raises(BranchError, match=f"tiny has no {branch} branch"):
            any_model.embed_speech(waves, lengths, branch=branch)
    if "cascaded" not in any_model.config.branches:
        with pytest.raises(BranchError, match="no cascaded branch"):
            any_model.keywords(frames)
    if "parallel" not in any_model.config.branches:
        with pytest.raises(BranchError, match=r"no parallel branch \(it has: cascaded\)"):
            any_model.embed_whole(frames)


def test_search_is_with_the_branch_that_is_configured_for_it(noises: Noises) -> None:
    model = tiny_speechclip(tiny_config(branch="hybrid")).requires_grad_(False)
    waves = pad(noises([4_000]))
    parallel, cascaded = (model.embed_speech(*waves, branch=branch) for branch in model.config.branches)

    assert torch.equal(model.embed_speech(*waves), parallel)
    model.config = model.config.model_copy(update={"search_branch": "cascaded"})
    assert torch.equal(model.embed_speech(*waves), cascaded)
    assert (parallel - cascaded).abs().max() > 1e-2


def test_keywords_are_what_the_cascaded_branch_embeds(noises: Noises) -> None:
    model = tiny_speechclip(tiny_config(branch="cascaded+")).requires_grad_(False)
    waves, lengths = pad(noises([4_000, 9_000]))
    heard = model.keywords(model.audio_encoder(waves, lengths))

    assert torch.equal(model.subwords, model.clip.token_embedding.weight[list(VOCABULARY)])
    assert torch.equal(model.embed_keywords(heard), model.embed_speech(waves, lengths))
    for row, count in enumerate(heard.counts.tolist()):
        ids = model.vocabulary[heard.targets[row, :count]].tolist()
        text = torch.tensor([[612, *ids, 613, *[0] * (10 - count)]])
        torch.testing.assert_close(model.embed_texts(text)[0], model.embed_keywords(heard)[row], rtol=0, atol=1e-5)


@pytest.mark.parametrize("vocabulary", [(), VOCABULARY[:-1], (*VOCABULARY, 5)])
def test_a_vocabulary_of_another_size_than_configured_is_refused(vocabulary: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"{len(vocabulary)} sub-words for a model of {len(VOCABULARY)}"):
        SpeechClip(tiny_config(branch="cascaded"), vocabulary)


def test_the_vocabulary_is_kept_in_one_place_outside_the_weights(any_model: SpeechClip) -> None:
    with torch.device("meta"):
        empty = SpeechClip(any_model.config, VOCABULARY if any_model.config.cascaded else ())

    assert not any("vocabulary" in name for name in any_model.state_dict())
    if any_model.config.cascaded:
        assert empty.vocabulary.tolist() == list(VOCABULARY)


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
