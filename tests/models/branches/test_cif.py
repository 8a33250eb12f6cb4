"""Integrate-and-fire, against the loop that it is in words."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from models.branches.cif import Cif, Fired
from models.branches.heads import padding_mask
from models.config import CifConfig
from tests.tiny_model import spread

MOST = 10


class Told(Cif):
    """Its weights are told, not computed."""

    def __init__(self, alpha: Tensor, config: CifConfig) -> None:
        super().__init__(size=2, config=config, most=MOST)
        self.told = alpha

    def alpha(self, features: Tensor, lengths: Tensor, independent: bool) -> Tensor:
        return self.told


def fire(alpha: list[list[float]], config: CifConfig | None = None, targets: list[int] | None = None) -> Fired:
    """Frames with these weights; a frame is (its number, 1)."""
    told = torch.tensor(alpha)
    frames = torch.stack([torch.arange(told.shape[1]).float(), torch.ones(told.shape[1])], dim=1)
    lengths = torch.full((len(alpha),), told.shape[1])
    cif = Told(told, config or CifConfig())
    goal = None if targets is None else torch.tensor(targets)
    fired: Fired = cif(frames.expand(len(alpha), -1, -1), lengths, independent=True, targets=goal)
    return fired


def in_words(alpha: list[float], config: CifConfig) -> list[list[float]]:
    """Frame by frame: the weights that each keyword takes, with what is left at the end as the last one."""
    keywords, filled = [[0.0] * len(alpha)], 0.0
    for frame, weight in enumerate(alpha):
        while filled + weight >= config.threshold and len(keywords) <= MOST:
            part = config.threshold - filled
            keywords[-1][frame] += part
            keywords.append([0.0] * len(alpha))
            filled, weight = 0.0, weight - part
        keywords[-1][frame] += weight
        filled += weight
    return keywords


@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40),
    st.sampled_from([0.4, 1.0]),
    st.sampled_from([0.5, None]),
)
def test_it_is_the_loop_that_it_is_in_words(alpha: list[float], threshold: float, tail: float | None) -> None:
    config = CifConfig(threshold=threshold, tail_threshold=tail)
    whole = sum(alpha) / threshold
    margin = min(abs(whole - round(whole)), abs(sum(alpha) % threshold - 0.5))
    *complete, left = in_words(alpha, config)
    assume(margin > 1e-4)  # or either is right, within the rounding of a float
    fired = fire([alpha], config)
    expected = complete[:MOST]
    if not complete:
        expected = [left]
    elif tail is not None and sum(left) >= tail and len(complete) < MOST:
        expected.append([weight / sum(left) for weight in left])

    assert fired.counts.tolist() == [len(expected)]
    torch.testing.assert_close(fired.weights[0], torch.tensor(expected), rtol=0, atol=1e-4)
    torch.testing.assert_close(fired.features[0, :, 1], fired.weights[0].sum(-1))


def test_the_frame_of_a_crossing_belongs_to_both_sides() -> None:
    fired = fire([[0.75, 0.5, 0.75]])

    assert fired.counts.tolist() == [2]
    assert fired.weights.tolist() == [[[0.75, 0.25, 0.0], [0.0, 0.25, 0.75]]]
    assert fired.features[0, :, 0].tolist() == [0.25, 1.75]


@pytest.mark.parametrize(("left", "counts"), [(0.5, 2), (0.4375, 1)])
def test_what_is_left_at_the_end_is_a_keyword_of_full_weight_if_it_is_enough(left: float, counts: int) -> None:
    fired = fire([[1.0, left]])

    assert fired.counts.tolist() == [counts]
    assert fired.weights[0, :, 1].tolist() == [0.0, 1.0][:counts]


def test_there_is_one_keyword_even_of_nothing() -> None:
    fired = fire([[0.25, 0.125], [0.0, 0.0]])

    assert fired.counts.tolist() == [1, 1]
    assert fired.weights[:, 0].tolist() == [[0.25, 0.125], [0.0, 0.0]]


def test_there_are_no_more_keywords_than_a_text_has_room_for() -> None:
    fired = fire([[1.0] * 30])

    assert fired.counts.tolist() == [MOST]
    assert fired.weights[0].sum(1).tolist() == [1.0] * MOST


def test_in_training_a_length_is_aimed_at_and_the_end_is_no_keyword() -> None:
    fired = fire([[0.5, 0.5, 0.5], [0.125, 0.25, 0.125]], targets=[3, 2])

    assert fired.counts.tolist() == [3, 2]
    assert fired.quantity.tolist() == [1.5, 0.5]
    torch.testing.assert_close(fired.weights.sum((1, 2)), torch.tensor([3.0, 2.0]), rtol=0, atol=1e-4)


def test_an_hour_of_weights_does_not_miss_its_last_keyword() -> None:
    cif = Told(torch.full((1, 180_000), 75 / 180_000), CifConfig(tail_threshold=None))
    cif.most = 75
    fired = cif(torch.ones(1, 180_000, 2), torch.tensor([180_000]), True, targets=torch.tensor([75]))

    assert fired.counts.tolist() == [75]


@pytest.mark.parametrize(("layers", "width"), [(1, 3), (2, 5)])
def test_by_itself_an_utterance_hears_nothing_beyond_its_end(layers: int, width: int) -> None:
    cif = Cif(16, CifConfig(conv_layers=layers, conv_width=width), most=75)
    spread(cif)
    cif.eval().requires_grad_(False)
    lengths = torch.tensor([40, 7, 1])
    x = torch.randn(3, 40, 16, generator=torch.Generator().manual_seed(0))
    spoiled = x.masked_fill(padding_mask(40, lengths)[..., None], 1e3)
    alpha = cif.alpha(spoiled, lengths, independent=True)
    official = cif.alpha(spoiled, lengths, independent=False)

    for place, length in enumerate(lengths.tolist()):
        alone = cif.alpha(x[place : place + 1, :length], torch.tensor([length]), independent=False)
        torch.testing.assert_close(alpha[place, :length], alone[0], rtol=0, atol=1e-6)
        assert not alpha[place, length:].any()
    assert (official[1] - alpha[1]).abs().max() > 1e-3


def test_the_gradient_reaches_weights_and_frames() -> None:
    cif = Cif(16, CifConfig(), most=75)
    spread(cif)
    x = torch.randn(2, 30, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()
    fired = cif(x, torch.tensor([30, 20]), False, targets=torch.tensor([4, 2]))
    fired.features[:, 0].square().sum().backward()

    assert x.grad is not None
    assert cif.weight_proj.weight.grad is not None
    assert bool(x.grad.isfinite().all())
    assert cif.weight_proj.weight.grad.abs().max() > 0
