"""Stage 2: texts come to lie where their drawings are, and the drawings stay where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.clip import Tokenizer, build_clip, unit
from tests.training.tiny_recipe import tiny_recipe
from training.nano.drawings import TRAINING, cached_vendor
from training.nano.lexicon import Lexicon
from training.nano.pairs import PairLoss, drawing_pairs
from training.nano.text_stage import train_text

pytestmark = pytest.mark.usefixtures("exact_arithmetic")


def a_clip() -> nn.Module:
    recipe = tiny_recipe()
    torch.manual_seed(1)
    return build_clip(recipe.model.clip, recipe.model.embedding_size).eval().requires_grad_(False)


@pytest.fixture
def pairs(packages: Path, lexicon: Lexicon, tmp_path: Path) -> PairLoss:
    vendors = [cached_vendor(packages, tmp_path, vendor, lexicon) for vendor in TRAINING]
    return drawing_pairs(a_clip(), vendors, lexicon.phrases, lexicon.members)


@torch.no_grad()
def texts(clip: nn.Module, lexicon: Lexicon) -> Tensor:
    tokens = Tokenizer.of(tiny_recipe().model.clip.text)
    return unit(clip.encode_text(tokens(lexicon.phrases)))  # type: ignore[operator]


def loss(clip: nn.Module, lexicon: Lexicon, pairs: PairLoss) -> float:
    """Over all phrases."""
    everything = torch.arange(len(lexicon.phrases))
    return float(pairs(texts(clip, lexicon), torch.tensor(30.0), everything, np.random.default_rng(0)))


def test_texts_come_nearer_to_their_drawings(lexicon: Lexicon, pairs: PairLoss, tmp_path: Path) -> None:
    before, clip = a_clip(), a_clip()
    train_text(tiny_recipe(steps=30), tmp_path, clip, lexicon.phrases, pairs)

    assert loss(clip, lexicon, pairs) < 0.8 * loss(before, lexicon, pairs)


def test_the_image_tower_stays(lexicon: Lexicon, pairs: PairLoss, tmp_path: Path) -> None:
    before, clip = a_clip().state_dict(), a_clip()
    after = train_text(tiny_recipe(), tmp_path, clip, lexicon.phrases, pairs).state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}

    assert not any(name.startswith("visual.") for name in changed)
    assert {"token_embedding.weight", "positional_embedding", "text_projection", "ln_final.weight"} <= changed
    assert not any(parameter.requires_grad for parameter in clip.parameters())


def test_it_goes_on_where_it_was(lexicon: Lexicon, pairs: PairLoss, tmp_path: Path) -> None:
    whole, interrupted = a_clip(), a_clip()
    train_text(tiny_recipe(), tmp_path / "whole", whole, lexicon.phrases, pairs)
    train_text(tiny_recipe(), tmp_path / "whole", interrupted, lexicon.phrases, pairs)

    assert all(torch.equal(one, interrupted.state_dict()[name]) for name, one in whole.state_dict().items())
