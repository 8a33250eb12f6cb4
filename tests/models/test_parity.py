"""Both parallel models of the paper, with random weights: every array of the authors' code, computed here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.clip import unit
from models.encoder import pad
from models.hubert import BatchSemantics
from models.official import read_official
from models.official_file import open_official
from models.speechclip import SpeechClip
from training.losses import MaskedContrastiveLoss

Array = NDArray[Any]

VARIANTS = ("parallel_base", "parallel_large")
HUBERT_HEADS = 4  # of the fixtures, which are smaller than any published model
SINGLES = [f"single{place}" for place in range(4)]

ARRAYS = [
    *(f"{tag}/{array}" for tag in ("single0", "batch") for array in ("hidden_states", "weighted_sum")),
    *(
        f"{tag}/{array}"
        for tag in (*SINGLES, "batch")
        for array in ("feat_len", "parallel_audio_feat", "parallel_audio_feat_normed")
    ),
    *("image/feat", "image/feat_normed", "text/encode_text_original_vocab"),
    *("forward/id", "forward/image_feat", "forward/parallel_audio_feat"),
    *("loss/loss", "loss/p_cl_loss", "log/cl_temp"),
]
TOLERANCES = {
    "feat_len": 0.0,
    "id": 0.0,
    "parallel_audio_feat_normed": 1e-6,
    "feat_normed": 1e-6,
    "parallel_audio_feat": 2e-5,
    "loss": 1e-4,
    "p_cl_loss": 1e-4,
}
OTHER_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Variant:
    model: SpeechClip
    waves: list[NDArray[np.float32]]
    expected: dict[str, Array]
    ours: dict[str, Array]


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request: pytest.FixtureRequest, parity: Path) -> Variant:
    folder = parity / request.param
    official = read_official(folder / "model.ckpt", request.param, hubert_heads=HUBERT_HEADS)
    model = official.build()
    with np.load(parity / "common" / "wavs.npz") as file:
        waves = [file[f"wav{place}"] for place in range(4)]
    with np.load(folder / "expected.npz") as file:
        expected = dict(file)
    with np.load(folder / "inputs.npz") as file:
        inputs = {name: torch.from_numpy(file[name]) for name in ("images", "ids", "text_ids")}
    return Variant(model, waves, expected, computed(model, waves, inputs, log_scale(folder)))


def log_scale(folder: Path) -> float:
    """The learnt log(1 / temperature), which is training's and therefore in no model folder."""
    tensors = open_official(folder / "model.ckpt").tensors
    trained = tensors.get("criterion.temperature")
    return MaskedContrastiveLoss().temperature.item() if trained is None else trained.item()


@torch.inference_mode()
def computed(
    model: SpeechClip, waves: list[NDArray[np.float32]], inputs: dict[str, Tensor], log_scale: float
) -> dict[str, Array]:
    """Every array of the fixtures, by its name there."""
    arrays = speech(model, waves, "official", "batch")
    for tag, wave in zip(SINGLES, waves, strict=True):
        arrays |= speech(model, [wave], "independent", tag)
    image = model.clip.encode_image(inputs["images"])
    arrays |= {"image/feat": image.numpy(), "image/feat_normed": model.embed_images(inputs["images"]).numpy()}
    arrays["text/encode_text_original_vocab"] = model.clip.encode_text(inputs["text_ids"]).numpy()
    loss = MaskedContrastiveLoss()
    loss.temperature.data.fill_(log_scale)
    audio = torch.from_numpy(arrays["batch/parallel_audio_feat_normed"])
    value = loss(audio, unit(image), inputs["ids"]).numpy()
    arrays |= {"loss/loss": value, "loss/p_cl_loss": value, "log/cl_temp": np.exp(log_scale)}
    arrays |= {"forward/id": inputs["ids"].numpy(), "forward/image_feat": unit(image).numpy()}
    arrays["forward/parallel_audio_feat"] = audio.numpy()
    return arrays


def speech(
    model: SpeechClip, waves: list[NDArray[np.float32]], semantics: BatchSemantics, tag: str
) -> dict[str, Array]:
    padded, lengths = pad(waves)
    frames = model.audio_encoder(padded, lengths, semantics)
    embeddings = model.embed_speech(padded, lengths, semantics).numpy()
    return {
        f"{tag}/hidden_states": torch.stack(list(frames.hidden_states)).numpy(),
        f"{tag}/weighted_sum": frames.features.numpy(),
        f"{tag}/feat_len": frames.lengths.numpy(),
        f"{tag}/parallel_audio_feat": embeddings,  # this branch of the authors' code returns unit vectors
        f"{tag}/parallel_audio_feat_normed": embeddings,
    }


@pytest.mark.parametrize("array", ARRAYS)
def test_an_array_equals_the_authors(variant: Variant, array: str) -> None:
    ours, expected = variant.ours[array], variant.expected[array]

    assert ours.shape == expected.shape
    tolerance = TOLERANCES.get(array.rpartition("/")[2], OTHER_TOLERANCE)
    np.testing.assert_allclose(ours, expected, rtol=0, atol=tolerance)


def test_no_array_is_left_out(variant: Variant) -> None:
    other_interface = {name for name in variant.expected if "/s3prl_" in name}
    known_to_be_wrong = {"text/forward_text_official_reduced"}

    assert set(variant.expected) == {*ARRAYS, *other_interface, *known_to_be_wrong}


def test_in_a_batch_an_utterance_gets_what_the_authors_code_gives_it_alone(variant: Variant) -> None:
    alone = np.concatenate([variant.expected[f"{tag}/parallel_audio_feat_normed"] for tag in SINGLES])
    padded, lengths = pad(variant.waves)
    with torch.inference_mode():
        together = variant.model.embed_speech(padded, lengths).numpy()

    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)


def test_alone_the_two_semantics_are_one(variant: Variant) -> None:
    for tag, wave in zip(SINGLES, variant.waves, strict=True):
        padded, lengths = pad([wave])
        with torch.inference_mode():
            official = variant.model.embed_speech(padded, lengths, "official").numpy()
        np.testing.assert_allclose(official, variant.expected[f"{tag}/parallel_audio_feat_normed"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", VARIANTS)
def test_the_reduced_vocabulary_is_found_without_its_file(parity: Path, name: str) -> None:
    official = read_official(parity / name / "model.ckpt", name, hubert_heads=HUBERT_HEADS)
    table = np.load(parity / name / "text_clip_vocab_usage_byfreq.npy")

    assert list(official.vocabulary) == table[:, 0].tolist()
