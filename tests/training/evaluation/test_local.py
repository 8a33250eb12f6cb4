"""Model folders: as the service runs them, and with the authors' batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.config import Branch
from models.encoder import load_encoder
from models.errors import BranchError, ModelFolderError
from models.folder import find_model
from models.listeners import pad
from tests.fake_encoder import drawn, spoken
from tests.tiny_model import BranchName, save_tiny_model
from training.evaluation.embedder import Semantics
from training.evaluation.files import read_audio
from training.evaluation.local import LocalModel

FILES = [spoken("dog", 0.4), spoken("cat", 0.65), spoken("apple", 1.0)]
BOTH: tuple[Branch, ...] = ("parallel", "cascaded")
WAVES = [read_audio(file) for file in FILES]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hybrid, which has everything."""
    return save_tiny_model(tmp_path_factory.mktemp("models") / "hybrid", branch="hybrid")


def local(folder: Path) -> LocalModel:
    return LocalModel.find(str(folder), folder.parent)


@pytest.mark.parametrize("branch", BOTH)
def test_served_is_what_the_encoder_answers(folder: Path, branch: Branch) -> None:
    embedder = local(folder).embedder("service", branch)
    encoder = load_encoder(str(folder))
    found = encoder.embed_speech(WAVES, branch, return_keywords=True)

    batch = embedder.speech(FILES)

    np.testing.assert_array_equal(batch.vectors, found.vectors)
    assert found.keywords is not None
    chosen = [[slot.subwords[0].id for slot in slots] for slots in found.keywords]
    assert batch.subwords.tolist() == chosen
    assert batch.audio_seconds.tolist() == pytest.approx([0.4, 0.65, 1.0])
    assert (embedder.branch, embedder.way, embedder.fingerprint) == (branch, "service", encoder.fingerprint)


@pytest.mark.parametrize("branch", BOTH)
@torch.inference_mode()
def test_official_is_what_the_network_makes_of_the_whole_batch(folder: Path, branch: Branch) -> None:
    embedder = local(folder).embedder("official", branch)

    batch = embedder.speech(FILES)

    network = find_model(str(folder)).load()
    expected = network.embed_speech(*pad(WAVES), "official", branch)
    np.testing.assert_allclose(batch.vectors, expected.numpy(), rtol=0, atol=1e-6)
    assert batch.subwords.shape == (3, 4)
    if branch == "parallel":  # keywords this few are hard to sway
        assert np.abs(embedder.speech(FILES[:1]).vectors[0] - batch.vectors[0]).max() > 1e-3


def test_a_file_that_is_refused_is_not_in_the_authors_batch_either(folder: Path) -> None:
    embedder = local(folder).embedder("official", None)

    batch = embedder.speech([FILES[0], b"noise", FILES[2]])

    assert [bool(reason) for reason in batch.reasons] == [False, True, False]
    np.testing.assert_allclose(batch.vectors[[0, 2]], embedder.speech([FILES[0], FILES[2]]).vectors, rtol=0, atol=1e-6)
    assert not batch.vectors[1].any()
    assert batch.subwords[1].tolist() == [-1] * 4


@pytest.mark.parametrize("branch", ["cascaded+", "hybrid+"])
@pytest.mark.parametrize("semantics", ["service", "official"])
def test_utterances_may_have_different_numbers_of_slots(
    tmp_path: Path, branch: BranchName, semantics: Semantics
) -> None:
    model = local(save_tiny_model(tmp_path / "tiny", branch=branch))
    batch = model.embedder(semantics, "cascaded").speech(FILES)

    subwords = model.subwords()
    assert subwords is not None
    assert set(batch.subwords.ravel()) - {-1} <= set(subwords.ids.tolist())
    assert (batch.subwords[:, 0] >= 0).all()
    np.testing.assert_array_equal(subwords.table, model.folder.load().subwords.detach().numpy())


def test_a_parallel_model_has_no_slots(tmp_path: Path) -> None:
    model = local(save_tiny_model(tmp_path / "tiny"))

    assert model.subwords() is None
    assert model.embedder("official", None).speech(FILES).subwords.shape == (3, 0)


def test_images_and_texts_are_the_encoders(folder: Path) -> None:
    embedder, encoder = local(folder).embedder("official", None), load_encoder(str(folder))

    texts = embedder.texts([b"a dog", "ein Hündchen".encode()])
    np.testing.assert_array_equal(texts.vectors, encoder.embed_texts(["a dog", "ein Hündchen"]))
    images = embedder.images([drawn("dog"), b"noise", drawn("cat", "JPEG")])
    assert [bool(reason) for reason in images.reasons] == [False, True, False]
    assert np.linalg.norm(images.vectors, axis=1).tolist() == pytest.approx([1, 0, 1], abs=1e-5)


def test_a_cut_off_image_is_refused(folder: Path) -> None:
    data = drawn("dog", "JPEG", (64, 64))

    batch = local(folder).embedder("service", None).images([data[: len(data) // 2], data])

    assert [bool(reason) for reason in batch.reasons] == [True, False]


def test_a_branch_that_the_model_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BranchError, match="no cascaded branch"):
        local(save_tiny_model(tmp_path / "tiny")).embedder("service", "cascaded")


def test_a_model_listens_as_it_is_served(folder: Path) -> None:
    found, (served,) = (
        local(folder).listen(FILES[1]),
        load_encoder(str(folder)).embed_speech([WAVES[1]], return_keywords=True).keywords or [[]],
    )

    np.testing.assert_array_equal(found.wave, WAVES[1])
    assert [(slot.start, slot.end, slot.subwords) for slot in found.slots] == [
        (slot.start, slot.end, slot.subwords) for slot in served
    ]
    assert len(found.slots) == 4


def test_a_pulled_model_goes_by_its_name(tmp_path: Path) -> None:
    save_tiny_model(tmp_path / "models" / "somebody" / "tiny")

    assert LocalModel.find("somebody/tiny", tmp_path / "models").folder.config.name == "tiny"
    with pytest.raises(ModelFolderError):
        LocalModel.find("somebody/else", tmp_path / "models")
