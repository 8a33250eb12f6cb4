"""What a model does only while it is trained."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.branches.cif import Cif
from models.branches.heads import TransformerHead
from models.config import CifConfig
from models.speechclip import SpeechClip
from tests.tiny_model import BRANCHES, BranchName, tiny_config, tiny_speechclip
from training.published.in_training import add_aim, add_dropout, add_hubert_dropout, aim
from training.published.objective import hear


def heard(model: SpeechClip, seed: int = 0) -> list[Tensor]:
    """What both branches make of two utterances; the seed is that of chance."""
    waves = torch.randn(2, 6_000, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(seed)
    with torch.no_grad():
        frames = model.audio_encoder(waves, torch.tensor([6_000, 4_000]), "official")
        found = hear(model, frames, "official", torch.tensor([4.0, 2.0]))
    return list(found.vectors.values())


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_model_forgets_in_training_and_never_after(branch: BranchName) -> None:
    plain, model = (tiny_speechclip(tiny_config("large", branch)) for _ in range(2))
    add_dropout(model, 0.3, 0.5)

    assert same(heard(model), heard(plain))
    model.train()
    model.audio_encoder.hubert.train(False)
    assert not same(heard(model, 0), heard(model, 1))
    assert same(heard(model, 3), heard(model, 3))
    assert model.state_dict().keys() == plain.state_dict().keys()


def test_hubert_forgets_where_the_authors_left_it_to() -> None:
    """After the projection, before the layers, of attention and of what is added: chance of 1 leaves the residuals."""
    model = tiny_speechclip()
    add_hubert_dropout(model, 1.0)
    hubert, encoder = model.audio_encoder.hubert.train(), model.audio_encoder
    waves, lengths = torch.randn(1, 6_000, generator=torch.Generator().manual_seed(1)), torch.tensor([6_000])
    given = list[Tensor]()
    hubert.encoder.pos_conv_embed.register_forward_hook(lambda _, inside, __: given.append(inside[0]))

    with torch.no_grad():
        states = encoder(waves, lengths, "official").hidden_states
        norms = [hubert.encoder.layers[0].layer_norm, hubert.encoder.layers[0].final_layer_norm]
        assert not given[0].any()
        assert not states[0].any()
        # Nothing is added in a layer: its norms alone are left of it.
        torch.testing.assert_close(states[1], norms[1](norms[0](states[0])))


def test_a_hubert_that_forgets_does_so_in_training_alone() -> None:
    plain, model = tiny_speechclip(), tiny_speechclip()
    add_hubert_dropout(model, 0.1)

    assert same(heard(model), heard(plain))
    model.audio_encoder.hubert.train()
    assert not same(heard(model, 0), heard(model, 1))
    assert same(heard(model, 3), heard(model, 3))


def test_a_hubert_of_rate_nothing_is_as_it_was() -> None:
    plain, model = tiny_speechclip(), tiny_speechclip()
    add_hubert_dropout(model, 0.0)
    model.audio_encoder.hubert.train()

    assert same(heard(model), heard(plain))


def test_a_transformer_head_forgets_where_torch_s_own_layer_does() -> None:
    """Of all positions; that the first alone are computed changes nothing but the order of the dice."""
    torch.manual_seed(0)
    head = TransformerHead(16, 2, 32)
    own = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.4, activation="gelu", batch_first=True)
    own.load_state_dict(head.model.layers[0].state_dict())
    config = tiny_config()
    model = tiny_speechclip(config)
    model.parallel_branch.self_att = head
    add_dropout(model, 0.4, 0.5)
    x, padding = torch.randn(3, 7, 16), torch.zeros(3, 7, dtype=torch.bool)

    torch.manual_seed(2)
    ours = head.train()(x, padding, queries=7)
    torch.manual_seed(2)
    theirs = F.layer_norm(own.train()(x, src_key_padding_mask=padding), (16,))
    torch.testing.assert_close(ours, theirs)


def test_integrate_and_fire_forgets_half_of_what_it_weighs() -> None:
    model = tiny_speechclip(tiny_config("large", "cascaded+"))
    add_dropout(model, 0.0, 0.5)
    cif = model.cascaded_branch.cif
    assert cif is not None
    seen = list[Tensor]()
    cif.weight_proj.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    model.train()
    heard(model)

    silent = float((seen[0] == 0).float().mean())
    assert 0.7 < silent < 0.95  # by chance, by the ReLU, or by both


def test_the_aim_is_rounded_as_the_authors_do() -> None:
    assert aim(torch.tensor([9, 10, 30, 31, 50, 320]), 20).tolist() == [0, 0, 2, 2, 2, 16]


def test_it_fires_as_often_as_it_should_while_it_is_scaled() -> None:
    torch.manual_seed(0)
    cif, scaled = Cif(8, CifConfig(), most=75), [True]
    add_aim(cif, lambda lengths: aim(lengths, 20), lambda: scaled[0])
    x, lengths = torch.randn(3, 130, 8), torch.tensor([130, 61, 25])
    with torch.no_grad():
        cif.weight_proj.bias.fill_(-3.0)  # by itself it would hardly fire

    assert cif.train()(x, lengths, False).counts.tolist() == [6, 3, 1]
    scaled[0] = False
    free = cif(x, lengths, False).counts
    assert free.tolist() != [6, 3, 1]
    cif.train(False)
    assert torch.equal(cif(x, lengths, False).counts, cif.forward(x, lengths, False).counts)
