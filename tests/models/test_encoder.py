"""The encoder: what the service knows of a model."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.config import Branch
from models.encoder import SpeechClipEncoder, load_encoder
from models.errors import BranchError, ModelFolderError
from models.images import looked_at
from models.listeners import pad
from models.protocol import Encoder
from models.published.shelf import fingerprint
from tests.tiny_model import BRANCHES, Style, save_tiny_model

Noises = Callable[[Sequence[int]], list[NDArray[np.float32]]]
Vectors = NDArray[np.float32]
BOTH: tuple[Branch, ...] = ("parallel", "cascaded")


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
    assert service.branches == ["parallel"]


@pytest.fixture(scope="module", params=BRANCHES)
def branched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SpeechClipEncoder:
    """An encoder of each kind of model, from its folder."""
    return load_encoder(str(save_tiny_model(tmp_path_factory.mktemp("model"), branch=request.param)))


def test_every_branch_has_a_vector_of_its_own(branched: SpeechClipEncoder, noises: Noises) -> None:
    waves = noises([1_600, 16_000])
    vectors = {branch: branched.embed_speech(waves, branch).vectors for branch in branched.branches}

    for found in vectors.values():
        assert_unit(found, 2)
    assert branched.branches[0] == branched.config.search_branch
    assert np.array_equal(branched.embed_speech(waves).vectors, vectors[branched.branches[0]])
    if len(vectors) == 2:
        assert np.abs(vectors["parallel"] - vectors["cascaded"]).max() > 1e-2


def test_a_branch_that_is_not_there_is_refused_even_for_nothing(branched: SpeechClipEncoder, noises: Noises) -> None:
    for branch in BOTH:
        if branch not in branched.branches:
            for waves in ([], noises([16_000])):
                with pytest.raises(BranchError, match=f"no {branch} branch"):
                    branched.embed_speech(waves, branch)


def test_keywords_come_when_they_are_asked_for_and_change_no_vector(
    branched: SpeechClipEncoder, noises: Noises
) -> None:
    waves = noises([1_600, 16_000])
    for branch in branched.branches:
        found, plain = branched.embed_speech(waves, branch, return_keywords=True), branched.embed_speech(waves, branch)

        assert np.array_equal(found.vectors, plain.vectors)
        assert plain.keywords is None
        if "cascaded" in branched.branches:
            assert found.keywords is not None
            assert [len(slots) > 0 for slots in found.keywords] == [True, True]
            assert_unit(
                np.stack([slot.vector for slots in found.keywords for slot in slots]), sum(map(len, found.keywords))
            )
        else:
            assert found.keywords is None


def test_keywords_of_an_utterance_are_its_own(branched: SpeechClipEncoder, noises: Noises) -> None:
    waves = noises([1_600, 16_000, 5_000])
    together = branched.embed_speech(waves, return_keywords=True).keywords
    for row, wave in enumerate(waves):
        alone = branched.embed_speech([wave], return_keywords=True).keywords
        if together is None or alone is None:
            assert together is alone
            continue
        for ours, expected in zip(together[row], alone[0], strict=True):
            assert (ours.slot, ours.start, ours.end) == (expected.slot, expected.start, expected.end)
            assert [piece.id for piece in ours.subwords] == [piece.id for piece in expected.subwords]
            np.testing.assert_allclose(ours.attention, expected.attention, rtol=0, atol=1e-5)


def test_words_are_the_sum_of_their_pieces(branched: SpeechClipEncoder) -> None:
    words = branched.slot_words(["dog", "a dog", "", "dog dog"])
    if "cascaded" not in branched.branches:
        assert words is None
        return
    assert words is not None
    assert words.shape == (4, 8)
    assert words.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(words, axis=1), [1, 1, 0, 1], rtol=0, atol=1e-6)
    np.testing.assert_allclose(words[3], words[0], rtol=0, atol=1e-6)
    assert words[0] @ words[1] < 0.999


def test_a_word_of_one_piece_is_that_piece_in_any_slot(tmp_path: Path, noises: Noises) -> None:
    encoder = load_encoder(str(save_tiny_model(tmp_path / "model", branch="cascaded")))
    found = encoder.embed_speech(noises([8_000]), return_keywords=True).keywords
    assert found is not None
    for slot in found[0]:
        whole = [piece for piece in slot.subwords if piece.text in ("a</w>", "the</w>", "on</w>")]
        words = encoder.slot_words([piece.text.removesuffix("</w>") for piece in whole])
        assert words is not None
        np.testing.assert_allclose(words @ slot.vector, [piece.score for piece in whole], rtol=0, atol=1e-5)


def test_nothing_in_has_no_keywords_and_no_words(branched: SpeechClipEncoder) -> None:
    slots, words = branched.embed_speech([], return_keywords=True).keywords, branched.slot_words([])
    if "cascaded" in branched.branches:
        assert slots == []
        assert words is not None
        assert words.shape == (0, 8)
    else:
        assert slots is None
        assert words is None


def test_a_vocabulary_that_lost_a_word_is_no_encoder(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "model", branch="hybrid")
    (folder / "vocabulary.json").write_text("[0, 320, 612, 613, 271]", encoding="utf-8")

    with pytest.raises(ModelFolderError, match=r"has 5 sub-words, but config\.json 23"):
        load_encoder(str(folder))


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


@pytest.mark.parametrize("mode", ["1", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F"])
def test_a_prepared_image_is_small_and_embeds_as_the_image_does(encoder: SpeechClipEncoder, mode: str) -> None:
    for size in ((1, 1), (640, 97), (31, 2000)):
        image = Image.effect_noise(size, 90).convert("L").convert("RGB" if mode in ("P", "CMYK") else "L").convert(mode)
        prepared = looked_at(image, encoder.image_size)

        assert prepared.size == (encoder.image_size, encoder.image_size)
        assert np.array_equal(encoder.embed_images([prepared]), encoder.embed_images([image]))


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
