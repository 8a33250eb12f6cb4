"""Every published model at its full size, but without its weights: names and shapes of all its tensors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from models.config import ModelConfig
from models.official.config import read_config
from models.official.keys import FULL_TABLE, REDUCED_TABLE, is_unused, official_name
from models.speechclip import SpeechClip
from tests.official_checkpoint import in_memory

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Published:
    """What no tensor tells of a model, as its configuration says it (spec section 2)."""

    file: str
    branch: Literal["parallel", "cascaded", "hybrid", "cascaded+", "hybrid+"]
    heads: int
    search: Literal["parallel", "cascaded"]
    attention: str = "MultiheadAttentionAndNorm"

    def settings(self) -> dict[str, Any]:
        place = "parallel_branch" if self.branch == "parallel" else "cascaded_branch"
        arguments = {"type": self.attention, "nhead": self.heads}
        return {
            "model_settings": {place: {"transformer_args": arguments}},
            "retrieval": {"audio_feat_src": self.search},
        }


PUBLISHED = [
    Published("base_flickr_parallel", "parallel", 8, "parallel", "TransformerEncoder"),
    Published("base_flickr_cascaded", "cascaded", 1, "cascaded"),
    Published("base_flickr_hybrid", "hybrid", 1, "cascaded"),
    Published("base_flickr_cascaded_plus", "cascaded+", 1, "cascaded"),
    Published("base_flickr_hybrid_plus", "hybrid+", 8, "parallel"),
    Published("large_flickr_parallel", "parallel", 8, "parallel", "TransformerEncoder"),
    Published("large_flickr_cascaded", "cascaded", 1, "cascaded"),
    Published("large_flickr_hybrid", "hybrid", 1, "cascaded"),
    Published("large_flickr_cascaded_plus", "cascaded+", 8, "cascaded"),
    Published("large_flickr_hybrid_plus", "hybrid+", 8, "cascaded"),
    Published("large_coco_parallel", "parallel", 8, "parallel", "TransformerEncoder"),
    Published("large_coco_cascaded", "cascaded", 1, "cascaded"),
    Published("large_coco_hybrid", "hybrid", 1, "cascaded", "TransformerEncoder"),
    Published("large_coco_cascaded_plus", "cascaded+", 8, "cascaded"),
    Published("large_coco_hybrid_plus", "hybrid+", 8, "parallel"),
]


@pytest.fixture(params=PUBLISHED, ids=lambda model: model.file)
def published(request: pytest.FixtureRequest) -> Published:
    model: Published = request.param
    return model


@pytest.fixture
def shapes(published: Published, published_keys: Path) -> Shapes:
    lines = (published_keys / f"{published.file}.txt").read_text(encoding="utf-8").splitlines()
    named = (line.split("\t") for line in lines)
    return {name: () if shape == "scalar" else tuple(map(int, shape.split("x"))) for name, shape in named}


@pytest.fixture
def config(published: Published, shapes: Shapes) -> ModelConfig:
    tensors = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    return read_config(in_memory(tensors, published.settings()), published.file)


def test_a_published_model_has_the_tensors_of_its_checkpoint(config: ModelConfig, shapes: Shapes) -> None:
    vocabulary = range(config.cascaded.vocabulary_size if config.cascaded else 0)
    with torch.device("meta"):
        model = SpeechClip(config, vocabulary)
    ours = {official_name(name, config): tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    ours[FULL_TABLE] = ours.pop(REDUCED_TABLE)

    theirs = {name: shape for name, shape in shapes.items() if not is_unused(name) and name != REDUCED_TABLE}
    assert ours == theirs


def test_it_is_what_the_papers_say(config: ModelConfig, published: Published) -> None:
    large, coco = published.file.startswith("large"), "coco" in published.file
    audio, vision = config.audio, config.clip.vision

    assert config.branch == published.branch
    assert config.search_branch == published.search
    assert (audio.hidden_size, audio.layers, audio.heads) == ((1024, 24, 16) if large else (768, 12, 12))
    assert (audio.pre_norm, audio.conv_norm) == ((True, "layer") if large else (False, "group"))
    assert (vision.patch_size, vision.layers, vision.image_size) == ((14, 24, 224) if large else (32, 12, 224))
    assert (config.clip.text.width, config.clip.text.heads) == ((768, 12) if large else (512, 8))
    assert config.clip.text.vocab_size == 49_408
    if config.cascaded is not None:
        assert config.cascaded.vocabulary_size == (19_787 if coco else 8_112)
        assert config.cascaded.keywords == 8
        assert config.cascaded.temperature == 0.1
        assert config.cascaded.head == ("transformer" if published.file == "large_coco_hybrid" else "attention")


def test_networks_of_two_layers_and_wide_convolutions_are_where_the_table_has_them(
    config: ModelConfig, published: Published
) -> None:
    if config.cascaded is None:
        return
    plus_paper = published.branch != "cascaded" and published.file.startswith("large")

    assert config.cascaded.keyword_projection == ((1024,) if plus_paper else ())
    assert config.cascaded.parallel_projection == ((1024,) if published.file == "large_flickr_hybrid" else ())
    if config.cascaded.cif is not None:
        wide = published.file == "large_coco_cascaded_plus"
        assert (config.cascaded.cif.conv_layers, config.cascaded.cif.conv_width) == ((2, 5) if wide else (1, 3))


@pytest.mark.parametrize(
    ("name", "unused"),
    [
        ("criterion.eye_mat", True),
        ("criterion.temperature", True),
        ("audio_encoder.encoder.label_embs_concat", True),
        ("cascaded_branch.clip.model.ln_final.bias", True),
        ("cascaded_branch.vector_quantizer.curr_temp", True),
        ("cascaded_branch.vector_quantizer.weight", False),
        ("clip.model.ln_final.bias", False),
        ("parallel_branch.cls", False),
    ],
)
def test_what_has_no_part_in_embedding_is_known(name: str, unused: bool) -> None:
    assert is_unused(name) == unused
