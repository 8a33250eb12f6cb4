"""The cascaded branch in its four forms."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from models.branches.cascaded import CascadedBranch, Keywords, read_keywords
from models.branches.heads import padding_mask
from models.branches.quantizer import Subwords
from models.clip import build_clip
from models.config import ModelConfig
from tests.tiny_model import Style, spread, tiny_config, tiny_speechclip

LENGTHS = torch.tensor([40, 9, 1])


@pytest.fixture(params=["cascaded", "hybrid", "cascaded+", "hybrid+"])
def config(request: pytest.FixtureRequest, style: Style) -> ModelConfig:
    return tiny_config(style, request.param)


@pytest.fixture
def branch(config: ModelConfig) -> CascadedBranch:
    return tiny_speechclip(config).cascaded_branch.requires_grad_(False)


@pytest.fixture
def table() -> Tensor:
    return torch.randn(23, 8, generator=torch.Generator().manual_seed(4))


@pytest.fixture
def features() -> Tensor:
    return torch.randn(3, 40, 16, generator=torch.Generator().manual_seed(0))


def hear(
    branch: CascadedBranch, features: Tensor, lengths: Tensor, table: Tensor, independent: bool = True
) -> Keywords:
    heard: Keywords = branch(features, lengths, Subwords.of(table), independent)
    return heard


def test_what_lies_beyond_an_utterance_is_not_heard(branch: CascadedBranch, features: Tensor, table: Tensor) -> None:
    spoiled = features.masked_fill(padding_mask(40, LENGTHS)[..., None], 1e3)
    together = hear(branch, spoiled, LENGTHS, table)
    attention = branch.attention(spoiled, LENGTHS, together)

    for row, length in enumerate(LENGTHS.tolist()):
        alone = hear(branch, features[row : row + 1, :length], LENGTHS[row : row + 1], table)
        count = int(alone.counts)
        assert together.counts[row] == count
        torch.testing.assert_close(together.vectors[row, :count], alone.vectors[0], rtol=0, atol=1e-5)
        assert torch.equal(together.targets[row, :count], alone.targets[0])
        found = branch.attention(features[row : row + 1, :length], LENGTHS[row : row + 1], alone)
        torch.testing.assert_close(attention[row, :count, :length], found[0], rtol=0, atol=1e-5)
        assert not attention[row, :count, length:].any()


def test_attention_is_a_share_of_the_frames(branch: CascadedBranch, features: Tensor, table: Tensor) -> None:
    heard = hear(branch, features, LENGTHS, table)
    attention = branch.attention(features, LENGTHS, heard)

    assert attention.shape == (3, heard.vectors.shape[1], 40)
    assert attention.min() >= 0
    torch.testing.assert_close(attention.sum(-1), torch.ones(attention.shape[:2]))


def test_a_keyword_is_the_sub_word_that_it_is_nearest_to(
    branch: CascadedBranch, features: Tensor, table: Tensor
) -> None:
    heard = hear(branch, features, LENGTHS, table)

    assert torch.equal(heard.embeddings, table[heard.targets])
    assert heard.scores.shape == (*heard.targets.shape, len(table))
    nearest = heard.scores.index_fill(-1, torch.tensor([0, 2, 3]), -2.0).argmax(-1)
    assert torch.equal(nearest, heard.targets)


def test_slots_are_as_many_as_configured_or_as_there_are(
    branch: CascadedBranch, features: Tensor, table: Tensor
) -> None:
    counts = hear(branch, features, LENGTHS, table).counts.tolist()

    if branch.cif is None:
        assert counts == [4, 4, 4]
    else:
        assert counts[2] == 1
        assert len(set(counts)) > 1
        assert max(counts) <= 10


def test_frames_that_weigh_nothing_are_all_the_same(features: Tensor, table: Tensor) -> None:
    branch = tiny_speechclip(tiny_config(branch="cascaded+")).cascaded_branch.requires_grad_(False)
    assert branch.cif is not None
    branch.cif.weight_proj.bias.fill_(-1e4)
    heard = hear(branch, features, LENGTHS, table)

    assert heard.counts.tolist() == [1, 1, 1]
    assert branch.attention(features, LENGTHS, heard)[1, 0].tolist() == pytest.approx([1 / 9] * 9 + [0.0] * 31)


def test_only_hybrids_have_a_parallel_token(branch: CascadedBranch, config: ModelConfig, features: Tensor) -> None:
    if "parallel" in config.branches:
        assert branch.parallel(features, LENGTHS).shape == (3, 8)
    else:
        with pytest.raises(ValueError, match="no parallel token"):
            branch.parallel(features, LENGTHS)


def test_in_training_the_choice_of_sub_words_teaches_the_whole_branch(
    branch: CascadedBranch, features: Tensor, table: Tensor
) -> None:
    branch.train().requires_grad_(True)
    value = hear(branch, features, LENGTHS, table).embeddings.square().sum()
    value.backward()  # type: ignore[no-untyped-call]

    left = {name for name, weight in branch.named_parameters() if weight.grad is None or not weight.grad.any()}
    assert {name for name in left if not name.startswith("parallel_proj.")} == set()


@pytest.fixture(scope="module")
def clip() -> Any:
    config = tiny_config()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        clip = build_clip(config.clip, config.embedding_size)
        spread(clip)
    return clip.eval().requires_grad_(False)


def test_keywords_are_read_as_the_text_that_they_spell(clip: Any) -> None:
    tokens = torch.tensor([[612, 5, 9, 300, 613, *[0] * 7], [612, 400, 613, *[0] * 9]])
    embeddings = clip.token_embedding(torch.tensor([[5, 9, 300], [400, 1, 2]]))
    read = read_keywords(clip, embeddings, torch.tensor([3, 1]))

    torch.testing.assert_close(read, clip.encode_text(tokens), rtol=0, atol=1e-5)


def test_a_text_may_be_full_of_keywords(clip: Any) -> None:
    words = torch.arange(10)[None]
    tokens = torch.cat([torch.tensor([[612]]), words, torch.tensor([[613]])], dim=1)
    read = read_keywords(clip, clip.token_embedding(words), torch.tensor([10]))

    torch.testing.assert_close(read, clip.encode_text(tokens), rtol=0, atol=1e-5)
