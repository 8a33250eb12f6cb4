"""The audio encoder: padding must not be heard."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from models.config import AudioConfig
from models.hubert import AudioEncoder, BatchSemantics, Frames, official_frame_lengths, official_frame_mask
from models.listeners import pad
from tests.tiny_model import Style, spread, tiny_config

Noises = Callable[[Sequence[int]], list[NDArray[np.float32]]]

LENGTHS = [4_000, 16_000, 400, 5_321]


def make(config: AudioConfig) -> AudioEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        encoder = AudioEncoder(config)
        spread(encoder)
    return encoder.eval().requires_grad_(False)


def encode(encoder: AudioEncoder, waves: list[Any], semantics: BatchSemantics = "independent") -> Frames:
    frames: Frames = encoder(*pad(waves), semantics)
    return frames


@pytest.fixture
def encoder(style: Style) -> AudioEncoder:
    return make(tiny_config(style).audio)


def test_an_utterance_gets_the_frames_that_it_gets_alone(encoder: AudioEncoder, noises: Noises) -> None:
    waves = noises(LENGTHS)
    together = encode(encoder, waves)

    for place, wave in enumerate(waves):
        alone = encode(encoder, [wave])
        count = int(alone.lengths[0])
        assert together.lengths[place] == count == encoder.config.frame_count(len(wave))
        for ours, expected in zip(together.hidden_states, alone.hidden_states, strict=True):
            torch.testing.assert_close(ours[place, :count], expected[0], rtol=0, atol=1e-5)
        torch.testing.assert_close(together.features[place, :count], alone.features[0], rtol=0, atol=1e-5)


def test_a_convolution_bias_changes_nothing_of_that(style: Style, noises: Noises) -> None:
    encoder = make(tiny_config(style).audio.model_copy(update={"conv_bias": True}))
    short, long = noises([2_000, 9_000])
    alone, together = encode(encoder, [short]), encode(encoder, [short, long])
    count = int(alone.lengths[0])

    torch.testing.assert_close(together.features[0, :count], alone.features[0], rtol=0, atol=1e-5)


def test_the_official_rule_lets_the_padding_in(encoder: AudioEncoder, noises: Noises) -> None:
    short, long = noises([16_000, 40_111])
    alone = encode(encoder, [short], "official")
    together = encode(encoder, [short, long], "official")
    count = int(alone.lengths[0])

    assert together.lengths[0] == count + 1
    assert (together.features[0, :count] - alone.features[0]).abs().max() > 1e-3


def test_alone_both_rules_agree(encoder: AudioEncoder, noises: Noises) -> None:
    (wave,) = noises([7_777])
    independent, official = encode(encoder, [wave]), encode(encoder, [wave], "official")

    assert torch.equal(independent.lengths, official.lengths)
    torch.testing.assert_close(independent.features, official.features, rtol=0, atol=1e-5)


def test_there_is_a_hidden_state_before_each_layer_and_after_the_last(encoder: AudioEncoder, noises: Noises) -> None:
    frames = encode(encoder, noises([1_000, 720]))

    assert [tuple(hidden.shape) for hidden in frames.hidden_states] == [(2, 2, 16)] * 3
    assert frames.features.shape == (2, 2, 16)
    assert frames.lengths.tolist() == [2, 2]


def test_the_final_norm_of_the_large_style_is_never_applied(noises: Noises) -> None:
    encoder = make(tiny_config("large").audio)
    before = encode(encoder, noises([3_000])).features
    encoder.hubert.encoder.layer_norm.weight.fill_(100.0)

    assert torch.equal(encode(encoder, noises([3_000])).features, before)


def test_layers_are_mixed_by_softmax(style: Style) -> None:
    encoder = make(tiny_config(style).audio)
    encoder.layer_weights.copy_(torch.tensor([0.0, 1.0, 2.0]))
    hidden = [torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(seed)) * 3 for seed in range(3)]
    weights = torch.tensor([0.0, 1.0, 2.0]).exp()
    weights /= weights.sum()
    layers = [F.layer_norm(layer, (16,)) for layer in hidden] if style == "large" else hidden
    expected = sum((weight * layer for weight, layer in zip(weights, layers, strict=True)), torch.zeros(2, 5, 16))

    torch.testing.assert_close(encoder.mix(hidden), expected)


def test_normalised_waveforms_are_heard_the_same_at_any_loudness_and_offset(noises: Noises) -> None:
    encoder = make(tiny_config("large").audio)
    (wave,) = noises([8_000])
    plain, changed = encode(encoder, [wave]), encode(encoder, [3 * wave + 0.2])

    torch.testing.assert_close(plain.features, changed.features, rtol=0, atol=1e-3)


def test_waveforms_are_normalised_each_by_itself_and_without_its_padding(noises: Noises) -> None:
    config = tiny_config("base").audio
    normalising, plain = make(config.model_copy(update={"normalize_waveform": True})), make(config)
    waves = noises([2_000, 6_000])
    by_hand = [F.layer_norm(torch.from_numpy(wave), wave.shape).numpy() for wave in waves]
    ours, expected = encode(normalising, waves), encode(plain, by_hand)

    torch.testing.assert_close(ours.features, expected.features, rtol=0, atol=1e-5)


def test_silence_is_no_reason_for_numbers_that_are_none(encoder: AudioEncoder) -> None:
    frames = encode(encoder, [np.zeros(4_000, np.float32), np.zeros(9_000, np.float32)])

    assert frames.features.isfinite().all()


def test_gradients_reach_every_weight_but_the_two_that_are_not_used(encoder: AudioEncoder, noises: Noises) -> None:
    encoder.requires_grad_(True)
    torch.autograd.backward(encode(encoder, noises([2_000, 4_000])).features.square().sum())
    without = {name for name, weight in encoder.named_parameters() if weight.grad is None}

    unused = {"hubert.masked_spec_embed"}
    if encoder.config.pre_norm:
        unused |= {"hubert.encoder.layer_norm.weight", "hubert.encoder.layer_norm.bias"}
    assert without == unused


@pytest.mark.parametrize(
    ("longest", "frames", "length", "unmasked", "seen"),
    [(40_111, 125, 16_000, 50, 50), (48_000, 149, 47_999, 149, 149), (16_000, 49, 400, 2, 1)],
)
def test_fairseq_counts_a_frame_for_any_real_sample(
    longest: int, frames: int, length: int, unmasked: int, seen: int
) -> None:
    lengths = torch.tensor([length])

    assert official_frame_mask(lengths, longest, frames).sum() == unmasked
    assert official_frame_lengths(lengths, frames, 320) == seen


def test_half_a_frame_is_rounded_to_even() -> None:
    lengths = torch.tensor([50 * 320 + 160, 51 * 320 + 160])

    assert official_frame_lengths(lengths, 1_000, 320).tolist() == [50, 52]
