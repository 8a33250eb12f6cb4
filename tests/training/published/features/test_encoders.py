"""What the frozen networks make of one utterance and of one image."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.speechclip import SpeechClip
from tests.tiny_model import STYLES, Style, tiny_config, tiny_speechclip
from training.published.errors import TrainingError
from training.published.features.encoders import FrozenEncoders, Precision, states

WAVE = np.random.default_rng(0).standard_normal(7_000).astype(np.float32)


def encoders(model: SpeechClip, precision: Precision = "float16") -> FrozenEncoders:
    return FrozenEncoders(model, precision)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("precision", "digits"), [("float16", 2**-11), ("bfloat16", 2**-8)])
def test_it_is_every_layer_of_an_utterance_alone(style: Style, precision: Precision, digits: float) -> None:
    model = tiny_speechclip(tiny_config(style))
    kept = encoders(model, precision).hear(WAVE)

    with torch.no_grad():
        expected = model.audio_encoder(torch.from_numpy(WAVE)[None], torch.tensor([7_000])).hidden_states
    assert kept.shape == (3, model.config.audio.frame_count(7_000), 16)
    assert kept.nbytes == encoders(model, precision).speech_bytes(7_000)
    torch.testing.assert_close(states(kept, precision).float(), torch.cat(expected), rtol=digits, atol=1e-6)


def test_images_are_the_model_s_own() -> None:
    model, pixels = tiny_speechclip(), torch.randn(3, 16, 16, generator=torch.Generator().manual_seed(0))

    found = encoders(model).look(pixels)

    with torch.no_grad():
        np.testing.assert_array_equal(found, model.embed_images(pixels[None])[0].numpy())
    assert found.nbytes == encoders(model).image_bytes


def test_forgetting_has_no_part_in_it() -> None:
    model = tiny_speechclip()
    model.train().audio_encoder.hubert.feature_projection.dropout.p = 0.5

    np.testing.assert_array_equal(encoders(model).hear(WAVE), encoders(tiny_speechclip()).hear(WAVE))


def test_what_half_precision_cannot_hold_is_told() -> None:
    model = tiny_speechclip(tiny_config("large"))
    with torch.no_grad():
        model.audio_encoder.hubert.feature_projection.projection.weight.mul_(1e6)

    with pytest.raises(TrainingError, match="try features=bfloat16"):
        encoders(model).hear(WAVE)
    assert encoders(model, "bfloat16").hear(WAVE).any()


def test_features_go_by_the_networks_that_made_them() -> None:
    plain = encoders(tiny_speechclip())
    other = tiny_speechclip()
    with torch.no_grad():
        other.audio_encoder.hubert.feature_projection.projection.bias[0] += 1e-3
    normalised, summed = (tiny_config(), tiny_config())
    audio = normalised.audio.model_copy(update={"normalize_waveform": True})
    mixed = summed.audio.model_copy(update={"normalize_hidden_states": True})

    assert encoders(other).speech_name != plain.speech_name
    assert encoders(other).image_name == plain.image_name
    assert encoders(tiny_speechclip(), "bfloat16").speech_name != plain.speech_name
    assert encoders(tiny_speechclip(normalised.model_copy(update={"audio": audio}))).speech_name != plain.speech_name
    assert encoders(tiny_speechclip(summed.model_copy(update={"audio": mixed}))).speech_name == plain.speech_name


def test_heads_have_no_part_in_it() -> None:
    plain, other = tiny_speechclip(), tiny_speechclip()
    with torch.no_grad():
        other.parallel_branch.cls.add_(1)
        other.audio_encoder.layer_weights.add_(1)

    assert encoders(other).speech_name == encoders(plain).speech_name
