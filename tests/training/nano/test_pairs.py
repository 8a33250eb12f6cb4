"""The loss of the aligning stage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from models.clip import Tokenizer, build_clip
from tests.training.tiny_recipe import tiny_recipe
from training.nano.pairs import Drawings, PairLoss, drawing_pairs, embed_drawings, text_pairs

# Emoji 0 and 1 are both a pet; vendor B has no drawing of emoji 2.
MEMBERS: Mapping[str, Sequence[int]] = {"dog": (0,), "pet": (0, 1), "heart": (2,), "cat": (1,)}
PHRASES = list(MEMBERS)
SHOWN = [0, 1, 2, 0, 1]
SCALE = torch.tensor(8.0)


@pytest.fixture(scope="module")
def clip() -> nn.Module:
    torch.manual_seed(0)
    recipe = tiny_recipe()
    return build_clip(recipe.model.clip, recipe.model.embedding_size).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def vendors() -> list[Drawings]:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)
    return [(pixels[:3], np.array(SHOWN[:3])), (pixels[3:], np.array(SHOWN[3:]))]


@pytest.fixture(scope="module")
def loss(clip: nn.Module, vendors: list[Drawings]) -> PairLoss:
    return drawing_pairs(clip, vendors, PHRASES, MEMBERS)


def utterances(count: int, seed: int = 0) -> Tensor:
    return normalize(torch.randn(count, 8, generator=torch.Generator().manual_seed(seed)), dim=1)


def chosen_drawings(spoken: Sequence[str], seed: int) -> list[int]:
    """The drawings that the loss pairs with the utterances: a random one of those that each phrase names."""
    rng = np.random.default_rng(seed)
    return [int(rng.choice([g for g, emoji in enumerate(SHOWN) if emoji in MEMBERS[phrase]])) for phrase in spoken]


def by_hand(vectors: Tensor, gallery: Tensor, spoken: Sequence[str], chosen: Sequence[int]) -> float:
    def e(utterance: int, drawing: int) -> float:
        return math.exp(float(SCALE) * float(vectors[utterance] @ gallery[drawing]))

    total, count = 0.0, len(spoken)
    for n, (phrase, drawing) in enumerate(zip(spoken, chosen, strict=True)):
        others = [g for g, emoji in enumerate(SHOWN) if emoji not in MEMBERS[phrase]]
        named = [g for g, emoji in enumerate(SHOWN) if emoji in MEMBERS[phrase]]
        negatives = sum(e(n, g) for g in others)
        total -= sum(math.log(e(n, g) / (e(n, g) + negatives)) for g in named) / len(named)
        strangers = [m for m, other in enumerate(spoken) if m != n and SHOWN[drawing] not in MEMBERS[other]]
        total -= math.log(e(n, drawing) / (e(n, drawing) + sum(e(m, drawing) for m in strangers)))
    return total / count / 2


@pytest.mark.parametrize("seed", range(4))
def test_it_is_what_the_formula_says(loss: PairLoss, seed: int) -> None:
    spoken = ["pet", "dog", "heart", "pet", "cat", "dog"]
    vectors = utterances(len(spoken), seed)
    phrases = torch.tensor([PHRASES.index(phrase) for phrase in spoken])
    value = loss(vectors, SCALE, phrases, np.random.default_rng(seed))

    assert float(value) == pytest.approx(
        by_hand(vectors, loss.vectors, spoken, chosen_drawings(spoken, seed)), rel=1e-5
    )


def test_other_drawings_that_the_phrase_names_are_no_negatives(clip: nn.Module, vendors: list[Drawings]) -> None:
    everything = drawing_pairs(clip, vendors, ["thing"], {"thing": (0, 1, 2)})
    vectors = utterances(3).requires_grad_()
    value = everything(vectors, SCALE, torch.tensor([0, 0, 0]), np.random.default_rng(0))
    value.backward()  # type: ignore[no-untyped-call]

    assert value.item() == 0
    assert vectors.grad is not None
    assert not vectors.grad.any()


def test_the_gradient_goes_to_the_speech_and_the_temperature_only(loss: PairLoss) -> None:
    vectors, scale = utterances(4).requires_grad_(), SCALE.clone().requires_grad_()
    loss(vectors, scale, torch.arange(4), np.random.default_rng(0)).backward()  # type: ignore[no-untyped-call]

    assert vectors.grad is not None
    assert vectors.grad.abs().sum(1).all()
    assert scale.grad is not None
    assert not loss.vectors.requires_grad


def test_an_utterance_nearer_to_its_drawings_than_to_others_costs_less(loss: PairLoss) -> None:
    phrases, away = torch.tensor([PHRASES.index("heart")]), loss.vectors[2] - loss.vectors[[0, 1, 3, 4]].mean(0)
    toward = normalize(away[None], dim=1)
    near, far = (loss(vectors, SCALE, phrases, np.random.default_rng(0)) for vectors in (toward, -toward))

    assert near < far


def test_it_is_computed_in_full_precision_within_autocast(loss: PairLoss) -> None:
    phrases, vectors = torch.arange(4), utterances(4)
    outside = loss(vectors, SCALE, phrases, np.random.default_rng(0))
    with torch.autocast("cpu", torch.bfloat16):
        inside = loss(vectors, SCALE, phrases, np.random.default_rng(0))

    assert inside.dtype == torch.float32
    assert inside.item() == outside.item()


def test_all_drawings_of_all_vendors_are_there(clip: nn.Module, vendors: list[Drawings], loss: PairLoss) -> None:
    alone = torch.cat([embed_drawings(clip, pixels[n : n + 1]) for pixels, _ in vendors for n in range(len(pixels))])

    torch.testing.assert_close(loss.vectors, alone, rtol=0, atol=1e-5)
    torch.testing.assert_close(loss.vectors.norm(dim=1), torch.ones(5))


def test_a_phrase_belongs_to_itself_as_it_is_read_among_all_texts(clip: nn.Module) -> None:
    texts, spoken = ["dog", "pet", "heart"], ["heart", "a dog by a heart"]
    loss = text_pairs(clip, Tokenizer.of(tiny_recipe().model.clip.text), texts, spoken)
    vectors = loss.vectors[[2, 0]]
    rng, both = np.random.default_rng(0), torch.tensor([0, 1])

    assert loss.vectors.shape == (3, 8)
    assert loss(vectors.flip(0), SCALE, both, rng) > loss(vectors, SCALE, both, rng)
    # What is none of the texts is not looked at.
    assert loss(vectors, SCALE, torch.tensor([1, 1]), rng) == 0
