"""Model folders: what is saved comes back; what is damaged is refused by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.errors import ModelFolderError
from models.folder import find_model, save_model
from models.published.shelf import fingerprint
from tests.models.forbidden import forbid
from tests.tiny_model import CARD, VOCABULARY, Style, save_tiny_model, tiny_config, tiny_speechclip


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to be spoiled."""
    return Path(shutil.copytree(tiny_model, tmp_path / "copy"))


def test_a_saved_model_comes_back(tmp_path: Path, style: Style) -> None:
    model = tiny_speechclip(tiny_config(style), seed=5)
    save_model(model, tmp_path / "deep" / "down", VOCABULARY, CARD)
    found = find_model(str(tmp_path / "deep" / "down"))
    loaded = found.load()

    assert found.config == model.config
    assert tuple(found.vocabulary) == VOCABULARY
    assert (found.path / "README.md").read_text(encoding="utf-8") == CARD
    assert not loaded.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name


def test_what_is_in_no_file_is_there_too(tiny_model: Path) -> None:
    loaded, made = find_model(str(tiny_model)).load(), tiny_speechclip()

    parts = dict(loaded.named_buffers()) | dict(loaded.named_parameters())
    assert not [name for name, tensor in parts.items() if tensor.is_meta]
    assert torch.equal(loaded.clip.attn_mask, made.clip.attn_mask)


def test_a_model_in_use_survives_its_folder_being_written_again(folder: Path) -> None:
    loaded = find_model(str(folder)).load()
    before = {name: tensor.clone() for name, tensor in loaded.state_dict().items()}
    save_model(tiny_speechclip(seed=9), folder, VOCABULARY, CARD)

    for name, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_half_precision_halves_the_file_and_loads_in_single(tmp_path: Path, tiny_model: Path) -> None:
    model = find_model(str(tiny_model)).load()
    save_model(model, tmp_path / "half", VOCABULARY, CARD, half=True)
    loaded = find_model(str(tmp_path / "half")).load()

    whole, half = ((path / "model.safetensors").stat().st_size for path in (tiny_model, tmp_path / "half"))
    assert half < 0.7 * whole
    for name, tensor in model.state_dict().items():
        assert loaded.state_dict()[name].dtype == torch.float32
        torch.testing.assert_close(loaded.state_dict()[name], tensor.half().float(), rtol=0, atol=0)


def test_the_same_model_has_the_same_fingerprint(tmp_path: Path, tiny_model: Path) -> None:
    again, other = save_tiny_model(tmp_path / "again"), save_tiny_model(tmp_path / "other", seed=1)

    assert fingerprint(again) == fingerprint(tiny_model)
    assert fingerprint(other) != fingerprint(tiny_model)
    assert len(fingerprint(again)) == 64


@pytest.mark.parametrize("file", ["config.json", "vocabulary.json", "model.safetensors"])
def test_any_changed_byte_changes_the_fingerprint(folder: Path, file: str) -> None:
    before = fingerprint(folder)
    data = bytearray((folder / file).read_bytes())
    data[-1] ^= 1
    (folder / file).write_bytes(data)

    assert fingerprint(folder) != before


def test_the_card_does_not_count(folder: Path) -> None:
    before = fingerprint(folder)
    (folder / "README.md").write_text("another", encoding="utf-8")

    assert fingerprint(folder) == before


def test_a_folder_without_a_card_is_a_model(folder: Path) -> None:
    (folder / "README.md").unlink()

    assert find_model(str(folder)).config.name == "tiny"


@pytest.mark.parametrize("file", ["config.json", "vocabulary.json", "model.safetensors"])
def test_a_missing_file_is_named(folder: Path, file: str) -> None:
    (folder / file).unlink()

    with pytest.raises(ModelFolderError, match=f"{file} not found"):
        find_model(str(folder))


@pytest.mark.parametrize("file", ["config.json", "vocabulary.json", "model.safetensors"])
def test_a_file_that_may_not_be_read_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    forbid(folder / file, monkeypatch)

    with pytest.raises(ModelFolderError, match=f"{file} cannot be read: Permission denied$"):
        find_model(str(folder))


def test_weights_that_went_away_meanwhile_are_named(folder: Path) -> None:
    found = find_model(str(folder))
    (folder / "model.safetensors").unlink()

    with pytest.raises(ModelFolderError, match=r"model\.safetensors cannot be read"):
        found.load()


@pytest.mark.parametrize("name", ["", "no-such-model", "../tiny", "a\0b", "/", "x" * 5_000])
def test_no_such_model(name: str) -> None:
    with pytest.raises(ModelFolderError, match="no model"):
        find_model(name)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("config.json", b"", "not a valid model configuration"),
        ("config.json", b"\xff\xfe", "not a valid model configuration"),
        ("config.json", b"[]", "not a valid model configuration"),
        ("config.json", b'{"name": "x", "format": 2}', "format"),
        ("config.json", b'{"name": "x", "audio": {"heads": 7}}', "multiple of heads"),
        ("config.json", b"[" * 100_000, "not a valid model configuration"),
        ("vocabulary.json", b"", "vocabulary.json must be a list of sub-word ids"),
        ("vocabulary.json", b"\xff", "vocabulary.json must be a list of sub-word ids"),
        ("vocabulary.json", b"{}", "vocabulary.json must be a list of sub-word ids"),
        ("vocabulary.json", b'["1"]', "vocabulary.json must be a list of sub-word ids"),
        ("vocabulary.json", b"[true]", "vocabulary.json must be a list of sub-word ids"),
        ("vocabulary.json", b"[-1]", "vocabulary.json must be a list of sub-word ids"),
        ("vocabulary.json", b"[5, 614]", "names sub-word 614, but config.json has 614"),
        ("vocabulary.json", b"[" * 100_000, "vocabulary.json must be a list of sub-word ids"),
    ],
)
def test_a_text_file_that_makes_no_sense_is_named(folder: Path, file: str, content: bytes, message: str) -> None:
    (folder / file).write_bytes(content)

    with pytest.raises(ModelFolderError, match=message):
        find_model(str(folder))


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.999])
def test_weights_that_broke_off_are_refused(folder: Path, kept: float) -> None:
    weights = folder / "model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[: int(len(data) * kept)])

    with pytest.raises(ModelFolderError, match="is damaged"):
        find_model(str(folder)).load()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("parallel_branch.cls"), r"does not fit .*Missing key.*parallel_branch\.cls"),
        (lambda tensors: tensors.update(extra=torch.zeros(1)), "does not fit .*Unexpected key.*extra"),
        (lambda tensors: tensors.update({"clip.logit_scale": torch.zeros(3)}), "does not fit .*size mismatch"),
        (
            lambda tensors: tensors.update({"parallel_branch.cls": torch.full((1, 1, 16), torch.nan)}),
            "parallel_branch.cls has values that are no numbers",
        ),
    ],
)
def test_weights_of_another_model_are_refused_by_name(
    folder: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")

    with pytest.raises(ModelFolderError, match=f"(?s){message}"):
        find_model(str(folder)).load()


def test_a_configuration_of_another_model_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_bytes())
    config["audio"]["layers"] = 3
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")

    with pytest.raises(ModelFolderError, match="does not fit"):
        find_model(str(folder)).load()


def test_weights_that_half_precision_cannot_hold_are_not_written(tmp_path: Path) -> None:
    model = tiny_speechclip()
    model.parallel_branch.cls.data.fill_(1e6)

    with pytest.raises(ValueError, match=r"parallel_branch\.cls"):
        save_model(model, tmp_path / "half", VOCABULARY, CARD, half=True)
    assert not (tmp_path / "half").exists()
