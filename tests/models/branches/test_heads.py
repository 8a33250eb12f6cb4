from __future__ import annotations

import pytest
import torch
from torch import nn

from models.branches.heads import (
    AttentionHead,
    Head,
    Mlp,
    ParallelBranch,
    TransformerHead,
    attend_from_few,
    padding_mask,
    prepend,
    projection,
)
from tests.tiny_model import spread


@pytest.fixture
def branch() -> ParallelBranch:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        branch = ParallelBranch(hidden_size=16, heads=4, ffn_size=24, embedding_size=6)
        spread(branch)
    return branch.eval().requires_grad_(False)


@pytest.fixture(params=["attention", "transformer"])
def head(request: pytest.FixtureRequest) -> Head:
    head: Head = AttentionHead(16, heads=4) if request.param == "attention" else TransformerHead(16, 4, ffn_size=24)
    spread(head)
    return head.eval().requires_grad_(False)


def frames(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_padding_begins_at_the_end_of_an_utterance() -> None:
    mask = padding_mask(4, torch.tensor([4, 1, 0]))

    assert mask.tolist() == [[False] * 4, [False, True, True, True], [True] * 4]


def test_what_lies_beyond_an_utterance_is_not_seen(branch: ParallelBranch) -> None:
    features, lengths = frames(3, 50, 16), torch.tensor([50, 7, 1])
    spoiled = features.masked_fill(padding_mask(50, lengths)[..., None], 1e4)
    ours = branch(spoiled, lengths)

    assert ours.shape == (3, 6)
    for place, length in enumerate(lengths.tolist()):
        alone = branch(features[place : place + 1, :length], torch.tensor([length]))
        torch.testing.assert_close(ours[place], alone[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("heads", [1, 4])
def test_a_few_positions_see_what_they_would_see_with_keys_and_values_of_all(heads: int) -> None:
    layer = nn.MultiheadAttention(16, heads, batch_first=True)
    spread(layer)
    x, padding = frames(2, 30, 16), padding_mask(30, torch.tensor([30, 11]))
    expected, _ = layer(x[:, :3], x, x, key_padding_mask=padding, need_weights=False)

    torch.testing.assert_close(attend_from_few(layer, x[:, :3], x, padding), expected, rtol=0, atol=1e-5)


def test_frames_have_no_order(branch: ParallelBranch) -> None:
    features = frames(1, 20, 16)
    shuffled = features[:, torch.randperm(20, generator=torch.Generator().manual_seed(1))]
    lengths = torch.tensor([20])

    torch.testing.assert_close(branch(features, lengths), branch(shuffled, lengths), rtol=0, atol=1e-5)


def test_the_layer_is_post_norm_with_exact_gelu_and_one_norm_more() -> None:
    head = TransformerHead(hidden_size=16, heads=4, ffn_size=24)
    spread(head)
    head.eval().requires_grad_(False)
    layer, x = head.model.layers[0], frames(2, 9, 16)
    assert isinstance(layer, nn.TransformerEncoderLayer)
    assert head.model.norm is not None

    attended = layer.norm1(x + layer.self_attn(x, x, x, need_weights=False)[0])
    expected = head.model.norm(layer.norm2(attended + layer.linear2(nn.functional.gelu(layer.linear1(attended)))))
    padding = padding_mask(9, torch.tensor([9, 9]))
    torch.testing.assert_close(head(x, padding, queries=9), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(head(x, padding, queries=2), expected[:, :2], rtol=0, atol=1e-5)


def test_training_and_evaluation_compute_the_same(branch: ParallelBranch) -> None:
    features, lengths = frames(2, 12, 16), torch.tensor([12, 5])

    torch.testing.assert_close(branch.train()(features, lengths), branch.eval()(features, lengths), rtol=0, atol=1e-5)


def test_the_weights_have_the_names_of_the_official_checkpoints(branch: ParallelBranch) -> None:
    names = set(branch.state_dict())

    assert {"cls", "linear_proj.weight", "self_att.model.norm.bias"} <= names
    assert "self_att.model.layers.0.self_attn.in_proj_weight" in names
    assert tuple(branch.state_dict()["self_att.model.layers.0.linear1.weight"].shape) == (24, 16)


def test_the_head_without_a_network_is_attention_a_residual_and_a_norm() -> None:
    head = AttentionHead(hidden_size=16, heads=2)
    spread(head)
    head.eval().requires_grad_(False)
    x, padding = frames(2, 9, 16), padding_mask(9, torch.tensor([9, 4]))

    expected = head.norm(head.attend(x, x, x, key_padding_mask=padding, need_weights=False)[0] + x)
    torch.testing.assert_close(head(x, padding, queries=9), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(head(x, padding, queries=3), expected[:, :3], rtol=0, atol=1e-5)


def test_attention_is_told_for_every_head(head: Head) -> None:
    x, padding = frames(2, 9, 16), padding_mask(9, torch.tensor([9, 4]))
    weights = head.attention(x, padding, queries=3)

    assert weights.shape == (2, 4, 3, 9)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 4, 3))
    assert not weights[1, :, :, 4:].any()


def test_learnt_tokens_come_first_and_are_never_padding() -> None:
    one, two, features = frames(1, 1, 16, seed=1), frames(1, 2, 16, seed=2), frames(3, 5, 16)
    x, padding = prepend([one, two], features, torch.tensor([5, 1, 0]))

    assert torch.equal(x, torch.cat([one.expand(3, 1, 16), two.expand(3, 2, 16), features], dim=1))
    assert padding.sum(1).tolist() == [0, 4, 5]
    assert not padding[:, :3].any()


def test_a_projection_is_one_layer_or_a_network_with_an_activation_between_its_layers() -> None:
    x = frames(2, 16)
    network = projection(16, [12, 10], 6)

    assert isinstance(projection(16, [], 6), nn.Linear)
    assert isinstance(network, Mlp)
    first, second, last = network.layers
    torch.testing.assert_close(network(x), last(second(first(x).relu()).relu()))
