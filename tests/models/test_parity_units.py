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

from models.clip import ImagePreprocessor, Tokenizer
from models.config import AudioConfig, VisionConfig
from models.hubert import official_frame_lengths, official_frame_mask
from training.losses import MaskedContrastiveLoss


@pytest.fixture(scope="module")
def units(parity: Path) -> dict[str, NDArray[Any]]:
    with np.load(parity / "units" / "units.npz") as file:
        return dict(file)


def test_frames_are_counted_and_masked_as_fairseq_does(units: dict[str, NDArray[Any]]) -> None:
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
def test_the_loss_and_its_gradients(units: dict[str, NDArray[Any]], setting: str, with_ids: bool) -> None:
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
