"""The authors' checkpoints are read exactly, or refused by name; nothing in them is ever run."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from models.config import ModelConfig, ParallelConfig
from models.errors import CheckpointError
from models.official import OfficialModel, read_official
from models.speechclip import SpeechClip
from tests.official_checkpoint import official_content, tensors_of, write_official
from tests.tiny_model import BRANCHES, VOCABULARY, BranchName, Style, tiny_config, tiny_speechclip

HUBERT_HEADS = 2


def official_config(style: Style = "base", branch: BranchName = "parallel") -> ModelConfig:
    """A tiny model whose CLIP has heads as wide as the published ones."""
    config = tiny_config(style, branch).model_dump()
    config["clip"]["text"] |= {"width": 64, "heads": 1}
    config["clip"]["vision"] |= {"width": 64, "head_width": 64}
    return ModelConfig.model_validate(config)


def as_read(config: ModelConfig) -> ModelConfig:
    """What no tensor and no setting tells is as in the published models: it makes no difference."""
    if config.cascaded is None:
        return config
    unused: dict[str, object] = {"keywords": 8} if config.cascaded.cif else {}
    unused |= {"ffn_size": None} if config.cascaded.head == "attention" else {}
    unused |= {"parallel_projection": ()} if "parallel" not in config.branches else {}
    cascaded = config.cascaded.model_copy(update=unused)
    return config.model_copy(update={"cascaded": cascaded, "parallel": ParallelConfig()})


@pytest.fixture(scope="module")
def model() -> SpeechClip:
    return tiny_speechclip(official_config())


@pytest.fixture
def content(model: SpeechClip) -> dict[str, Any]:
    return official_content(model, list(VOCABULARY))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.ckpt"


def read(path: Path) -> OfficialModel:
    return read_official(path, "tiny", hubert_heads=HUBERT_HEADS)


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_checkpoint_becomes_the_model_that_it_was_written_from(path: Path, style: Style, branch: BranchName) -> None:
    model = tiny_speechclip(official_config(style, branch))
    official = read(write_official(path, official_content(model, list(VOCABULARY))))

    assert official.config == as_read(model.config)
    assert tuple(official.vocabulary) == VOCABULARY
    built = official.build()
    assert not built.training
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(built.state_dict()[name], tensor, rtol=0, atol=0)


def test_a_model_with_the_whole_vocabulary_has_no_second_table(path: Path, content: dict[str, Any]) -> None:
    tensors = tensors_of(content)
    tensors["clip.model.token_embedding.weight"] = tensors.pop("clip.original_text_emb_weight")

    assert list(read(write_official(path, content)).vocabulary) == list(range(614))


def test_half_precision_becomes_single(path: Path, content: dict[str, Any]) -> None:
    content["state_dict"] = {name: tensor.half() for name, tensor in tensors_of(content).items()}
    official = read(write_official(path, content))

    assert {tensor.dtype for tensor in official.state_dict.values()} == {torch.float32}
    assert tuple(official.vocabulary) == VOCABULARY


class Evil:
    """Pickled, it is a call of `os.system`."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.mark}",)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("place", ["state_dict", "hyper_parameters", "callbacks"])
def test_a_pickle_that_would_run_something_is_refused_unrun(
    tmp_path: Path, path: Path, content: dict[str, Any], place: str, protocol: int
) -> None:
    content[place] = {**content.get(place, {}), "evil": Evil(tmp_path / "mark")}
    write_official(path, content, protocol)

    with pytest.raises(CheckpointError, match=rf"refused: it wants to import .*{os.system.__module__}\.system"):
        read(path)
    assert not (tmp_path / "mark").exists()


def test_the_stand_ins_cannot_be_called(path: Path) -> None:
    pickled = b"\x80\x02cavssl.base.ordered_namespace\nOrderedNamespace\n(X\x02\x00\x00\x00lstR."
    write_archive(path, {"archive/data.pkl": pickled, "archive/version": b"3", "archive/byteorder": b"little"})

    with pytest.raises(CheckpointError, match="cannot be read"):
        read(path)


def test_an_endless_pickle_is_not_even_unpacked(path: Path) -> None:
    write_archive(path, {"archive/data.pkl": b"\0" * (65 << 20)})

    with pytest.raises(CheckpointError, match="bytes of pickle"):
        read(path)


def write_archive(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    for missing in (tmp_path / "none.ckpt", tmp_path):
        with pytest.raises(CheckpointError, match="no checkpoint"):
            read(missing)


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.999])
def test_a_download_that_broke_off_is_refused(path: Path, content: dict[str, Any], kept: float) -> None:
    data = write_official(path, content).read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])

    with pytest.raises(CheckpointError, match="broke off"):
        read(path)


def test_flipped_bytes_are_refused_or_change_nothing_but_numbers(path: Path, content: dict[str, Any]) -> None:
    data = write_official(path, content).read_bytes()
    for place in range(0, len(data), len(data) // 60):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        try:
            official = read(path)
        except CheckpointError:
            continue
        assert official.config == official_config()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("state_dict"), "not in the authors' layout"),
        (lambda content: content.pop("hyper_parameters"), "not in the authors' layout"),
        (lambda content: content["hyper_parameters"].clear(), "not in the authors' layout"),
        (lambda content: content["state_dict"].update(number=1), "'number' in state_dict is no tensor"),
        (
            lambda content: content["state_dict"].pop("parallel_branch.linear_proj.bias"),
            r"has no tensor parallel_branch\.linear_proj\.bias$",
        ),
        (
            lambda content: content["state_dict"].pop("audio_encoder.encoder.encoder.layers.1.fc2.weight"),
            r"has no tensor audio_encoder\.encoder\.encoder\.layers\.1\.fc2\.weight$",
        ),
        (
            lambda content: content["state_dict"].pop("clip.model.visual.conv1.weight"),
            r"has no tensor clip\.model\.visual\.conv1\.weight",
        ),
        (
            lambda content: content["state_dict"].pop("clip.model.token_embedding.weight"),
            r"has no tensor clip\.model\.token_embedding\.weight",
        ),
        (lambda content: content["state_dict"].clear(), "has no tensor"),
        (
            lambda content: content["state_dict"].update({"parallel_branch.extra": torch.zeros(1)}),
            r"tensors of unknown use: parallel_branch\.extra$",
        ),
        (
            lambda content: content["state_dict"].update({"clip.model.ln_final.bias": torch.zeros(3)}),
            r"clip\.model\.ln_final\.bias is of shape \(3,\), which should be \(64,\)",
        ),
        (
            lambda content: content["state_dict"].update({"clip.model.text_projection": torch.zeros(3)}),
            r"clip\.model\.text_projection is of shape \(3,\)",
        ),
        (
            lambda content: content["state_dict"]["clip.model.token_embedding.weight"][4].zero_(),
            r"row 4 of clip\.model\.token_embedding\.weight is no row",
        ),
        (
            lambda content: content["state_dict"].update(
                {"audio_encoder.encoder.feature_extractor.conv_layers.0.0.weight": torch.zeros(8, 1, 11)}
            ),
            "strides are unknown",
        ),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_by_the_name_of_what_is_wrong(
    path: Path, content: dict[str, Any], change: Callable[[dict[str, Any]], object], message: str
) -> None:
    change(content)

    with pytest.raises(CheckpointError, match=message):
        read(write_official(path, content))
