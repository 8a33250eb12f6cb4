"""The encoder: what the service knows of a model."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.encoder import Encoder, SpeechClipEncoder, load_encoder, pad
from models.errors import ModelFolderError
from models.folder import fingerprint
from tests.tiny_model import Style, save_tiny_model

Noises = Callable[[Sequence[int]], list[NDArray[np.float32]]]
Vectors = NDArray[np.float32]


@pytest.fixture(scope="module")
def encoder(tiny_model: Path) -> SpeechClipEncoder:
    return load_encoder(str(tiny_model))


def assert_unit(vectors: Vectors, count: int) -> None:
    assert vectors.shape == (count, 8)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), np.ones(count), rtol=0, atol=1e-6)


def test_it_is_what_the_service_asks_for(encoder: SpeechClipEncoder, tiny_model: Path) -> None:
    service: Encoder = encoder

    assert service.name == "tiny"
    assert service.fingerprint == fingerprint(tiny_model)
    assert service.dim == 8


def test_everything_has_a_unit_vector(encoder: SpeechClipEncoder, noises: Noises) -> None:
    assert_unit(encoder.embed_speech(noises([1_600, 16_000])).vectors, 2)
    assert_unit(encoder.embed_images([Image.new("RGB", (40, 30)), Image.new("RGBA", (1, 1))]), 2)
    assert_unit(encoder.embed_texts(["", "a dog", "собака 🐕 " * 50, "\ud800"]), 4)


def test_nothing_in_is_nothing_out(encoder: SpeechClipEncoder) -> None:
    for vectors in (encoder.embed_speech([]).vectors, encoder.embed_images([]), encoder.embed_texts([])):
        assert vectors.shape == (0, 8)
        assert vectors.dtype == np.float32


def test_an_utterance_does_not_hear_the_others(tmp_path: Path, style: Style, noises: Noises) -> None:
    encoder = load_encoder(str(save_tiny_model(tmp_path / "model", style)))
    waves = noises([1_600, 64_000, 5_000, 1_601])
    together = encoder.embed_speech(waves).vectors
    alone = np.concatenate([encoder.embed_speech([wave]).vectors for wave in waves])

    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-5)


def test_the_same_twice_is_the_same(encoder: SpeechClipEncoder, noises: Noises) -> None:
    waves = noises([2_000, 3_000])

    assert np.array_equal(encoder.embed_speech(waves).vectors, encoder.embed_speech(waves).vectors)


def test_vectors_can_be_changed_and_waveforms_stay_as_they_are(encoder: SpeechClipEncoder, noises: Noises) -> None:
    waves = noises([2_000, 3_000])
    for wave in waves:
        wave.flags.writeable = False
    vectors = encoder.embed_speech(waves).vectors
    vectors += 1

    assert np.array_equal(waves[0], noises([2_000])[0])


def test_images_of_any_mode_are_taken(encoder: SpeechClipEncoder) -> None:
    images = [Image.new(mode, (9, 4)) for mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I;16", "I", "F")]

    assert_unit(encoder.embed_images([*images, Image.new("RGB", (1, 1)), Image.new("L", (1, 90_000))]), 13)


def test_different_words_and_colours_are_different(encoder: SpeechClipEncoder) -> None:
    dog, cat = encoder.embed_texts(["dog", "cat"])
    red, blue = encoder.embed_images([Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")])

    assert dog @ cat < 0.999
    assert red @ blue < 0.999


@pytest.mark.parametrize("samples", [0, 1, 399])
def test_an_utterance_without_a_single_frame_is_refused(
    encoder: SpeechClipEncoder, noises: Noises, samples: int
) -> None:
    with pytest.raises(ValueError, match=f"an utterance of {samples} samples"):
        encoder.embed_speech([*noises([16_000]), np.zeros(samples, np.float32)])


def test_waveforms_are_padded_with_silence(noises: Noises) -> None:
    short, long = noises([3, 5])
    padded, lengths = pad([short, long])

    assert lengths.tolist() == [3, 5]
    assert np.array_equal(padded[0].numpy(), [*short, 0, 0])
    assert np.array_equal(padded[1].numpy(), long)


def test_a_damaged_model_is_no_encoder(tiny_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "copy"))
    (folder / "model.safetensors").write_bytes(b"nothing")

    with pytest.raises(ModelFolderError, match="damaged"):
        load_encoder(str(folder))
