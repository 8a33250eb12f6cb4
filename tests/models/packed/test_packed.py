"""Networks arranged for a CPU say what the networks they were made of say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from models.clip import build_clip, read_texts
from models.config import AudioConfig
from models.hubert import AudioEncoder
from models.packed import linear, tower
from models.packed.hubert import PackedAudioEncoder
from models.packed.linear import Activation, PackedLinear, windows
from models.packed.support import has_bfloat16
from models.packed.tower import PackedTower
from tests.patience import WAIT_S
from tests.tiny_model import Style, spread, tiny_config

LENGTHS = [400, 719, 16_000, 90_003]
"""A single frame, still one, a second, and more frames than are made at a time."""


@pytest.fixture(params=[True, False], ids=["packed", "plain"])
def packed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """With oneDNN, and as where it is not."""
    if not request.param:
        monkeypatch.setattr(linear, "can_pack", lambda: False)
    return bool(request.param)


def encoder(config: AudioConfig) -> AudioEncoder:
    torch.manual_seed(7122)
    made = AudioEncoder(config).eval().requires_grad_(False)
    spread(made)
    return made


def reference(model: AudioEncoder, wave: Tensor) -> Tensor:
    features: Tensor = model(wave[None], torch.tensor([len(wave)])).features[0]
    return features


@pytest.mark.usefixtures("packed")
@pytest.mark.parametrize("activation", list(Activation))
def test_a_layer_is_a_linear_layer_and_its_activation(activation: Activation) -> None:
    x, weight, bias = torch.randn(5, 12), torch.randn(7, 12), torch.randn(7)

    found = PackedLinear(weight, bias, torch.float32, activation)(x)

    torch.testing.assert_close(found, activation(F.linear(x, weight, bias)), rtol=0, atol=1e-5)


def test_windows_are_what_a_convolution_sees() -> None:
    x, weight = torch.randn(11, 3), torch.randn(4, 3, 5)

    seen = windows(x, 5, 2)

    assert seen.data_ptr() == x.data_ptr()
    expected = F.conv1d(x.T[None], weight, stride=2)[0].T
    torch.testing.assert_close(seen @ weight.transpose(1, 2).flatten(1).T, expected, rtol=0, atol=1e-5)


@pytest.mark.usefixtures("packed")
@pytest.mark.parametrize("samples", LENGTHS)
def test_hubert_hears_the_same(style: Style, samples: int) -> None:
    model = encoder(tiny_config(style).audio)
    wave = 0.1 * torch.randn(samples) + 0.05

    found = PackedAudioEncoder(model, torch.float32)(wave)

    torch.testing.assert_close(found, reference(model, wave), rtol=0, atol=2e-5)


@pytest.mark.parametrize("level", [0.0, 0.5])
def test_silence_and_an_offset_are_heard_as_in_double_precision(style: Style, level: float) -> None:
    """The reference itself loses them in its rounding, which a normalisation of nearly nothing makes large."""
    model, wave = encoder(tiny_config(style).audio), torch.full((4_000,), level)

    found = PackedAudioEncoder(model, torch.float32)(wave)

    torch.testing.assert_close(found, reference(model.double(), wave.double()).float(), rtol=0, atol=2e-5)


def test_frames_do_not_depend_on_where_an_utterance_is_cut_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    model, wave = encoder(tiny_config().audio), 0.1 * torch.randn(40_000)
    whole = PackedAudioEncoder(model, torch.float32)(wave)

    monkeypatch.setattr("models.packed.front._FRAMES", 7)
    monkeypatch.setattr("models.packed.positions._FRAMES", 5)

    torch.testing.assert_close(PackedAudioEncoder(model, torch.float32)(wave), whole, rtol=0, atol=1e-5)


def test_bfloat16_is_near(style: Style) -> None:
    model, wave = encoder(tiny_config(style).audio), 0.1 * torch.randn(16_000)

    found = PackedAudioEncoder(model, torch.bfloat16)(wave)

    assert found.dtype == torch.float32
    assert F.cosine_similarity(found, reference(model, wave)).min() > 0.99 or not has_bfloat16()


@pytest.mark.usefixtures("packed")
@pytest.mark.parametrize("quick", [True, False])
def test_clip_reads_and_sees_the_same(quick: bool) -> None:
    config = tiny_config().clip.model_copy(update={"quick_gelu": quick})
    clip = build_clip(config, 8).eval().requires_grad_(False)
    spread(clip)
    images, tokens = torch.randn(2, 3, 16, 16), torch.zeros(2, 12, dtype=torch.long)
    tokens[0, :4], tokens[1, :6] = torch.tensor([612, 3, 4, 613]), torch.tensor([612, 3, 4, 5, 6, 613])
    seen, read = clip.encode_image(images), clip.encode_text(tokens)  # type: ignore[operator]

    clip.transformer = PackedTower(clip.transformer, torch.float32)
    clip.visual.transformer = PackedTower(clip.visual.transformer, torch.float32)  # type: ignore[union-attr]

    torch.testing.assert_close(clip.encode_image(images), seen, rtol=0, atol=1e-5)  # type: ignore[operator]
    torch.testing.assert_close(read_texts(clip, tokens), read, rtol=0, atol=1e-5)


def test_a_tower_that_is_asked_while_it_is_packed_answers_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two first queries at one time: one packs the layers, the other waits for them."""
    packing, go_on, config = Event(), Event(), tiny_config().clip
    clip, tokens = build_clip(config, 8).eval(), torch.tensor([[612, 3, 4, 613]])
    expected = read_texts(clip, tokens)

    class Slow(tower._Block):
        def __init__(self, *arguments: Any) -> None:
            packing.set()
            assert go_on.wait(WAIT_S)
            super().__init__(*arguments)

    monkeypatch.setattr(tower, "_Block", Slow)
    clip.transformer = PackedTower(clip.transformer, torch.float32)
    with ThreadPoolExecutor(2) as both, torch.inference_mode():
        first = both.submit(read_texts, clip, tokens)
        assert packing.wait(WAIT_S)
        second = both.submit(read_texts, clip, tokens)
        wait([second], timeout=0.2)
        go_on.set()
        for answer in (first, second):
            torch.testing.assert_close(answer.result(), expected, rtol=0, atol=1e-5)
