"""The loss of the listening stage."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from models.hubert import Frames
from tests.training.tiny_recipe import tiny_recipe
from training.nano.ctc import PhonemeLoss
from training.nano.listener import Listener

PHONEMES: Mapping[str, tuple[str, ...]] = {"dog": ("d", "o", "g"), "odd": ("o", "d", "d"), "go": ("g", "o"), "hm": ()}
PHRASES = ["go", "odd", "dog", "hm"]


@pytest.fixture
def listener() -> Listener:
    torch.manual_seed(0)
    return Listener(tiny_recipe().model, 3)


@pytest.fixture
def loss() -> PhonemeLoss:
    return PhonemeLoss(PHRASES, PHONEMES)


def frames(*lengths: int) -> Frames:
    hidden = torch.randn(len(lengths), max(lengths), 16, generator=torch.Generator().manual_seed(1))
    hidden = (3 * hidden).requires_grad_()
    return Frames([torch.zeros_like(hidden), hidden], hidden, torch.tensor(lengths))


def by_hand(scores: Tensor, target: list[int]) -> float:
    """Minus the log of the sum over all ways to spell the target with blanks (0) and repetitions."""
    total = 0.0
    for way in itertools.product(range(scores.shape[1]), repeat=len(scores)):
        spelt = [symbol for symbol, _ in itertools.groupby(way) if symbol]
        if spelt == target:
            total += float(torch.stack([scores[t, symbol] for t, symbol in enumerate(way)]).sum().exp())
    return -float(torch.log(torch.tensor(total)))


def test_it_counts_every_way_to_say_it(listener: Listener, loss: PhonemeLoss) -> None:
    heard = frames(5, 4)
    with torch.no_grad():
        value = float(loss(listener, heard, torch.tensor([1, 0])))
        scores = listener.phonemes(listener.norm(heard.hidden_states[-1])).log_softmax(-1)
    # d, g, o are the symbols 1, 2, 3.
    odd, go = by_hand(scores[0], [3, 1, 1]) / 3, by_hand(scores[1, :4], [2, 3]) / 2

    assert loss.symbols == 3
    assert value == pytest.approx((odd + go) / 2, rel=1e-4)


def test_padding_has_no_say(listener: Listener, loss: PhonemeLoss) -> None:
    heard = frames(6, 4)
    changed = heard.hidden_states[-1].detach().clone()
    changed[1, 4:] = 100
    phrases = torch.tensor([2, 0])
    other = Frames([changed], changed, heard.lengths)

    assert loss(listener, heard, phrases).item() == pytest.approx(loss(listener, other, phrases).item(), rel=1e-6)


@pytest.mark.parametrize("lengths", [(1, 1), (2, 8), (3, 3), (0, 8)])
def test_an_utterance_too_short_for_its_phonemes_counts_nothing(
    listener: Listener, loss: PhonemeLoss, lengths: tuple[int, int]
) -> None:
    heard = frames(*lengths)
    # odd needs four frames: a blank parts the two of the same kind.
    value = loss(listener, heard, torch.tensor([1, 0]))
    value.backward()  # type: ignore[no-untyped-call]
    gradient = heard.hidden_states[-1].grad

    assert torch.isfinite(value)
    assert gradient is not None
    assert torch.isfinite(gradient).all()
    assert not gradient[0].any()


def test_a_phrase_without_phonemes_is_no_division_by_nothing(listener: Listener, loss: PhonemeLoss) -> None:
    heard = frames(3, 3)
    value = loss(listener, heard, torch.tensor([3, 0]))
    value.backward()  # type: ignore[no-untyped-call]

    assert torch.isfinite(value)
    assert all(torch.isfinite(weight.grad).all() for weight in listener.parameters() if weight.grad is not None)


def test_the_alphabet_is_numbered_alike_for_any_choice_of_phrases(listener: Listener, loss: PhonemeLoss) -> None:
    fewer = PhonemeLoss(["dog"], PHONEMES)
    heard = frames(5)

    assert fewer.symbols == loss.symbols
    assert fewer(listener, heard, torch.tensor([0])).item() == loss(listener, heard, torch.tensor([2])).item()


def test_saying_it_right_costs_little(listener: Listener, loss: PhonemeLoss) -> None:
    optimiser = torch.optim.Adam([*listener.norm.parameters(), *listener.phonemes.parameters()], lr=0.1)
    heard, phrases = frames(6, 6, 6), torch.tensor([0, 1, 2])
    values = []
    for _ in range(40):
        value = loss(listener, heard, phrases)
        optimiser.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        values.append(value.item())

    assert values[-1] < values[0] / 5
