from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from models.config import AudioConfig, ModelConfig
from tests.tiny_model import BRANCHES, BranchName, Style, tiny_config

CASCADED = {"vocabulary_size": 100}
CIF = {**CASCADED, "batch_norm": "shared", "cif": {}}


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_configuration_survives_json(style: Style, branch: BranchName) -> None:
    config = tiny_config(style, branch)

    assert ModelConfig.model_validate_json(config.model_dump_json()) == config


def test_a_configuration_of_before_there_were_branches_is_a_parallel_one() -> None:
    before = tiny_config().model_dump(exclude={"branch", "search_branch", "cascaded"})
    config = ModelConfig.model_validate(before)

    assert (config.branch, config.branches, config.search_branch) == ("parallel", ("parallel",), "parallel")
    assert config.cascaded is None


@pytest.mark.parametrize(
    ("branch", "branches"),
    [
        ("parallel", ("parallel",)),
        ("cascaded", ("cascaded",)),
        ("cascaded+", ("cascaded",)),
        ("hybrid", ("parallel", "cascaded")),
        ("hybrid+", ("parallel", "cascaded")),
    ],
)
def test_hybrids_have_both_branches(branch: BranchName, branches: tuple[str, ...]) -> None:
    assert tiny_config(branch=branch).branches == branches


def test_the_defaults_are_speechclip_base() -> None:
    config = ModelConfig(name="base")

    assert config.audio.frame_stride == 320
    assert (config.audio.hidden_size, config.audio.layers, config.embedding_size) == (768, 12, 512)
    assert config.clip.text.vocab_size == 49_408


@pytest.mark.parametrize(("samples", "frames"), [(0, 0), (1, 0), (399, 0), (400, 1), (719, 1), (720, 2), (16_000, 49)])
def test_frames_are_counted_as_the_convolutions_make_them(samples: int, frames: int) -> None:
    assert AudioConfig().frame_count(samples) == frames


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, "name"),
        ({"format": 2}, "format"),
        ({"branch": "serial"}, "branch"),
        ({"branch": "cascaded", "search_branch": "cascaded"}, "cascaded is for every branch but parallel"),
        ({"cascaded": CASCADED}, "cascaded is for every branch but parallel"),
        ({"branch": "hybrid", "cascaded": CIF}, "cascaded.cif is for cascaded. and hybrid. only"),
        ({"branch": "hybrid+", "cascaded": CASCADED}, "cascaded.cif is for cascaded. and hybrid. only"),
        ({"search_branch": "cascaded"}, "search_branch must be parallel where branch is parallel"),
        ({"branch": "cascaded", "cascaded": CASCADED}, "search_branch must be cascaded where branch is cascaded"),
        ({"branch": "hybrid", "cascaded": {**CASCADED, "heads": 5}}, "must be a multiple of cascaded.heads"),
        ({"branch": "hybrid", "cascaded": {**CASCADED, "keywords": 76}}, "must fit in clip.text.context_length"),
        ({"branch": "hybrid", "cascaded": {"vocabulary_size": 49_409}}, "must not exceed clip.text.vocab_size"),
        ({"branch": "hybrid", "cascaded": {"vocabulary_size": 4}}, "vocabulary_size"),
        ({"branch": "hybrid", "cascaded": {}}, "vocabulary_size"),
        ({"branch": "hybrid", "cascaded": {**CASCADED, "temperature": 0}}, "temperature"),
        ({"branch": "hybrid+", "cascaded": {**CIF, "batch_norm": "each"}}, "batch_norm must be shared with cif"),
        ({"branch": "hybrid+", "cascaded": {**CIF, "cif": {"conv_width": 4}}}, "conv_width must be odd"),
        ({"branch": "hybrid+", "cascaded": {**CIF, "cif": {"threshold": float("nan")}}}, "threshold"),
        ({"embedding_size": 0}, "embedding_size"),
        ({"nonsense": 1}, "nonsense"),
        ({"audio": {"heads": 5}}, "hidden_size must be a multiple of heads"),
        ({"audio": {"position_groups": 5}}, "hidden_size must be a multiple of heads and of position_groups"),
        ({"audio": {"conv_stride": [5, 2]}}, "one entry per convolution"),
        ({"audio": {"conv_dim": [], "conv_kernel": [], "conv_stride": []}}, "one entry per convolution"),
        ({"audio": {"conv_dim": [0] * 7}}, "conv_dim"),
        ({"audio": {"conv_norm": "batch"}}, "conv_norm"),
        ({"parallel": {"heads": 7}}, "audio.hidden_size must be a multiple of parallel.heads"),
        ({"clip": {"text": {"heads": 7}}}, "width must be a multiple of heads"),
        ({"clip": {"text": {"vocab_size": 514}}}, "vocab_size"),
        ({"clip": {"text": {"vocab_size": 49_409}}}, "vocab_size"),
        ({"clip": {"text": {"context_length": 2}}}, "context_length"),
        ({"clip": {"vision": {"head_width": 7}}}, "width must be a multiple of head_width"),
        ({"clip": {"vision": {"image_size": 225}}}, "image_size must be a multiple of patch_size"),
    ],
)
def test_what_makes_no_model_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ModelConfig.model_validate({"name": "x", **change})
