"""Single functions of the authors' code against those here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from models.branches.cif import Cif, Fired
from models.branches.heads import padding_mask
from models.branches.keyword_norm import KeywordNorm
from models.branches.quantizer import Statistics, quantize
from models.clip import ImagePreprocessor, Tokenizer
from models.config import AudioConfig, CifConfig, VisionConfig
from models.hubert import official_frame_lengths, official_frame_mask
from training.losses import MaskedContrastiveLoss, contrastive, negatives
from training.nano.retrieval import RANKS, best_ranks

Units = dict[str, NDArray[Any]]


@pytest.fixture(scope="module")
def units(parity: Path) -> Units:
    with np.load(parity / "units" / "units.npz") as file:
        return dict(file)


def tensor(units: Units, name: str) -> Tensor:
    return torch.from_numpy(units[name])


def assert_near(ours: Tensor, expected: NDArray[Any], atol: float = 1e-5) -> None:
    assert tuple(ours.shape) == expected.shape
    np.testing.assert_allclose(ours.detach().numpy(), expected, rtol=0, atol=atol)


def test_frames_are_counted_and_masked_as_fairseq_does(units: Units) -> None:
    audio = AudioConfig()
    for longest, frames, length, conv_frames, unmasked, feat_len in units["frames/table"].tolist():
        lengths = torch.tensor([length])
        assert audio.frame_count(longest) == frames
        assert audio.frame_count(length) == conv_frames
        assert official_frame_mask(lengths, longest, frames).sum() == unmasked
        assert official_frame_lengths(lengths, frames, audio.frame_stride) == feat_len


@pytest.mark.parametrize("name", ["landscape", "portrait", "gray"])
def test_images_are_prepared_as_openai_does(parity: Path, name: str) -> None:
    with np.load(parity / "units" / "image_preprocess.npz") as file:
        expected = file[name]
    with Image.open(parity / "units" / f"{name}.png") as image:
        pixels = ImagePreprocessor(VisionConfig())([image])

    np.testing.assert_allclose(pixels[0].numpy(), expected, rtol=0, atol=1e-5)


def test_text_becomes_the_tokens_of_openai(parity: Path) -> None:
    cases = json.loads((parity / "units" / "tokenizer.json").read_text(encoding="utf-8"))
    tokens = Tokenizer()([case["text"] for case in cases])

    assert cases
    for case, row in zip(cases, tokens.tolist(), strict=True):
        assert row == case["ids"] + [0] * (77 - len(case["ids"]))


LOSSES = {
    "default": MaskedContrastiveLoss(),
    "trainable": MaskedContrastiveLoss(trainable=True),
    "margin0.2": MaskedContrastiveLoss(margin=0.2),
    "dcl": MaskedContrastiveLoss(decoupled=True),
}


@pytest.mark.parametrize("with_ids", [True, False])
@pytest.mark.parametrize("setting", LOSSES)
def test_the_loss_and_its_gradients(units: Units, setting: str, with_ids: bool) -> None:
    loss = LOSSES[setting]
    loss.zero_grad()
    a, b = (torch.from_numpy(units[f"loss/feat_{side}"]).requires_grad_() for side in "AB")
    value = loss(a, b, torch.from_numpy(units["loss/index"]) if with_ids else None)
    value.backward()

    expected = f"loss/masked/{setting}/{'index' if with_ids else 'noindex'}"
    gradients = {"grad_A": a.grad, "grad_B": b.grad}
    if setting == "trainable":
        gradients["grad_temperature"] = loss.temperature.grad
    np.testing.assert_allclose(value.item(), units[expected], rtol=0, atol=1e-4)
    for name, gradient in gradients.items():
        assert gradient is not None
        np.testing.assert_allclose(gradient.numpy(), units[f"{expected}/{name}"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("with_ids", [True, False])
@pytest.mark.parametrize("direction", ["a2b", "b2a"])
def test_each_direction_of_the_loss(units: Units, direction: str, with_ids: bool) -> None:
    a, b = (tensor(units, f"loss/feat_{side}").requires_grad_() for side in "AB")
    logits = a @ b.T / 0.07
    rows = torch.arange(len(a))
    denominator = negatives(tensor(units, "loss/index") if with_ids else rows)
    value = contrastive(logits if direction == "a2b" else logits.T, rows, denominator)
    value.backward()  # type: ignore[no-untyped-call]

    expected = f"loss/masked/{direction}_only/{'index' if with_ids else 'noindex'}"
    np.testing.assert_allclose(value.item(), units[expected], rtol=0, atol=1e-4)
    for side, vectors in zip("AB", (a, b), strict=True):
        assert vectors.grad is not None
        np.testing.assert_allclose(vectors.grad.numpy(), units[f"{expected}/grad_{side}"], rtol=1e-4, atol=1e-5)


def test_a_trainable_temperature_is_kept_as_the_authors_keep_it(units: Units) -> None:
    temperature = MaskedContrastiveLoss(trainable=True).temperature

    np.testing.assert_allclose(temperature.item(), units["loss/masked/trainable/param_value"], rtol=0, atol=1e-6)
    scale = temperature.exp().item()
    np.testing.assert_allclose(scale, units["loss/masked/trainable/current_temperature"], rtol=0, atol=1e-5)


def test_recall_is_counted_as_the_authors_do(units: Units) -> None:
    audio_ids = units["retrieval/audio_ids"].tolist()
    last = {id: row for row, id in enumerate(units["retrieval/image_ids"].tolist())}  # of one image's several rows
    images = units["retrieval/image_feat"][list(last.values())]
    heard = best_ranks(units["retrieval/audio_feat"], images, [[list(last).index(id)] for id in audio_ids])
    captions = [[row for row, audio in enumerate(audio_ids) if audio == id] for id in last]
    seen = best_ranks(images, units["retrieval/audio_feat"], captions)
    for k in RANKS:
        there, back = (100 * (ranks <= k).mean() for ranks in (heard, seen))
        np.testing.assert_allclose(there, units[f"retrieval/AI/recall@{k}"], rtol=0, atol=1e-4)
        np.testing.assert_allclose(back, units[f"retrieval/IA/recall@{k}"], rtol=0, atol=1e-4)
        np.testing.assert_allclose((there + back) / 2, units[f"retrieval/mean/recall@{k}"], rtol=0, atol=1e-4)


CIF_CASES = {
    "default": CifConfig(),
    "no_tail": CifConfig(tail_threshold=None),
    "threshold_0.4_extra": CifConfig(threshold=0.4),
    "clamp75": CifConfig(),
    "two_conv_width5": CifConfig(conv_layers=2, conv_width=5),
    "train_scaling": CifConfig(),
    "train_after_scaling_step": CifConfig(),
}


@torch.no_grad()
def integrated(units: Units, case: str) -> tuple[Cif, Fired]:
    """A case as the authors' module is called: convolutions see what lies beyond an utterance's end."""
    group = f"cif/{case}/"
    cif = Cif(size=8, config=CIF_CASES[case], most=75)
    weights = {name.removeprefix(f"{group}param/"): array for name, array in units.items() if f"{group}param/" in name}
    # Theirs count activations and dropouts too.
    renamed = {name.replace("conv.3.", "conv.1.").replace("proj.1.", "proj."): weights[name] for name in weights}
    cif.load_state_dict({name: torch.from_numpy(array) for name, array in renamed.items()})
    x, lengths = tensor(units, f"{group}x"), tensor(units, f"{group}lens")
    targets = tensor(units, f"{group}target_lengths") if case.startswith("train") else None
    return cif, cif(x, lengths, independent=False, targets=targets, scale=case == "train_scaling")


@pytest.mark.parametrize("case", CIF_CASES)
def test_frames_are_integrated_as_the_authors_do(units: Units, case: str) -> None:
    group = f"cif/{case}/"
    x, lengths = tensor(units, f"{group}x"), tensor(units, f"{group}lens")
    cif, fired = integrated(units, case)

    assert_near(cif.alpha(x, lengths, independent=False), units[f"{group}orig_alpha"])
    assert_near(fired.alpha, units[f"{group}alpha"])
    assert_near(fired.quantity, units[f"{group}quantity_out"])
    assert_near(fired.features, units[f"{group}dsample_feats"], atol=2e-5)
    assert fired.counts.tolist() == units[f"{group}dsample_feats_length"].tolist()
    padding = padding_mask(fired.features.shape[1], fired.counts)
    assert padding.tolist() == units[f"{group}dsample_feats_pad_mask"].tolist()
    assert padding_mask(x.shape[1], lengths).tolist() == units[f"{group}pad_mask"].tolist()
    assert lengths.tolist() == units[f"{group}original_length"].tolist()


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_sub_words_are_chosen_as_the_authors_do(units: Units, mode: str) -> None:
    scores = tensor(units, "vq/x")
    chosen, targets = quantize(scores, torch.eye(12), temperature=0.1, training=mode == "train")

    assert_near(chosen, units[f"vq/{mode}/subword_prob"])
    assert targets[..., None].tolist() == units[f"vq/{mode}/targets"].tolist()
    statistics = Statistics.of(scores)
    assert_near(statistics.code_perplexity, units[f"vq/{mode}/code_perplexity"], atol=1e-4)
    assert_near(statistics.prob_perplexity, units[f"vq/{mode}/prob_perplexity"], atol=1e-4)
    assert_near(statistics.entropy, units[f"vq/{mode}/ent_per_t"], atol=1e-4)
    assert_near(1 - statistics.prob_perplexity / 12, units[f"vq/{mode}/diversity_loss"])


def test_the_choice_passes_the_gradient_of_the_authors(units: Units) -> None:
    scores = tensor(units, "vq/x").requires_grad_()
    chosen, _ = quantize(scores, torch.eye(12), temperature=0.1, training=True)
    (chosen * tensor(units, "vq/train/w")).sum().backward()  # type: ignore[no-untyped-call]

    assert scores.grad is not None
    assert_near(scores.grad, units["vq/train/grad_x"])


def test_normalisation_starts_at_the_sub_words_in_the_layout_of_its_channels(units: Units) -> None:
    norm = KeywordNorm(size=6, slots=3)
    norm.start_at(tensor(units, "bn/token_embedding"))

    # The authors start in the layout (slot, dimension) but run in (dimension, slot): spec section 12.2, i.
    for ours, theirs in ((norm.norm.weight, "init_weight"), (norm.norm.bias, "init_bias")):
        assert_near(ours.view(6, 3).T.flatten(), units[f"bn/{theirs}"])


def test_keywords_are_normalised_as_the_authors_do(units: Units) -> None:
    norm, x = KeywordNorm(size=6, slots=3), tensor(units, "bn/x")
    norm.norm.weight.data, norm.norm.bias.data = (tensor(units, f"bn/init_{name}") for name in ("weight", "bias"))

    assert_near(norm(x), units["bn/train_out"])
    assert norm.norm.running_mean is not None
    assert norm.norm.running_var is not None
    assert_near(norm.norm.running_mean, units["bn/running_mean_after1"])
    assert_near(norm.norm.running_var, units["bn/running_var_after1"])
    assert_near(norm.eval()(x), units["bn/eval_out"])


def test_keywords_of_any_number_are_normalised_as_the_authors_do(units: Units) -> None:
    norm, x = KeywordNorm(size=6, slots=None), tensor(units, "bn/x")
    norm.start_at(tensor(units, "bn/token_embedding"))

    assert_near(norm(x), units["bn_dyn/train_out"])
    assert_near(norm.eval()(x), units["bn_dyn/eval_out"])


NOT_COMPARED = {
    "loss/supcon/": "used by no published model, and fails as it would be called",
    "lr/": "compared where the published models are trained",
    **{f"cif/{case}/fired_marks": "wrong for more than one utterance" for case in CIF_CASES},
}
COMPARED = ("frames/", "loss/feat_", "loss/index", "loss/masked/", "retrieval/", "cif/", "vq/", "bn/", "bn_dyn/")


def test_no_array_is_left_out(units: Units) -> None:
    left = {name for name in units if not name.startswith(COMPARED)}
    assert {name for name in left if not name.startswith(tuple(NOT_COMPARED))} == set()

    settings = {name.split("/")[2] for name in units if name.startswith("loss/masked/")}
    assert settings == {*LOSSES, "a2b_only", "b2a_only"}
    assert {name.split("/")[1] for name in units if name.startswith("cif/")} == set(CIF_CASES)
