"""Models as large as the published ones, with random weights: converted, loaded and asked, in bounded memory."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from models.config import (
    AudioConfig,
    CascadedConfig,
    CifConfig,
    ClipConfig,
    ModelConfig,
    ParallelConfig,
    TextConfig,
    VisionConfig,
)
from models.encoder import SpeechClipEncoder
from models.folder import find_model
from models.speechclip import SpeechClip
from tests.official_checkpoint import official_content, write_official
from tests.peak_memory import peak_of

GIB = 1 << 30
VOCABULARY = 8112
LARGE_AUDIO = AudioConfig(
    hidden_size=1024,
    layers=24,
    heads=16,
    ffn_size=4096,
    conv_norm="layer",
    pre_norm=True,
    normalize_waveform=True,
)
LARGE_CLIP = ClipConfig(vision=VisionConfig(patch_size=14, width=1024, layers=24), text=TextConfig(width=768, heads=12))
MODELS = {
    "parallel base": ModelConfig(name="parallel base", parallel=ParallelConfig(ffn_size=3072)),
    "hybrid+ large": ModelConfig(
        name="hybrid+ large",
        branch="hybrid+",
        embedding_size=768,
        audio=LARGE_AUDIO,
        cascaded=CascadedConfig(
            vocabulary_size=VOCABULARY, heads=8, keyword_projection=(1024,), batch_norm="shared", cif=CifConfig()
        ),
        clip=LARGE_CLIP,
    ),
}
HYBRID_PLUS = {
    "cascaded_branch": {
        "type": "HybridBranch_dynamic",
        "transformer_args": {"type": "MultiheadAttentionAndNorm", "nhead": 8, "norm_first": False},
        "vq": {"args": {"temp": "fixed=0.1", "use_gumbel": False, "hard": True}},
        "keyword": {"retrieve_method": "cosine", "batchnorms": {"type": "eachKw", "parallel": True}},
        "downsampling": {
            "type": "cif",
            "cif": {
                "produce_weight_type": "conv",
                "cif_threshold": 1.0,
                "conv_cif_width": 3,
                "apply_tail_handling": True,
                "tail_handling_firing_threshold": 0.5,
            },
        },
    }
}


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """A folder of some gigabytes, which pytest would keep."""
    yield tmp_path
    shutil.rmtree(tmp_path)


def write_checkpoint(path: Path, config: ModelConfig) -> Path:
    drawn = random.Random(7122)
    vocabulary = drawn.sample(range(1, 49406), VOCABULARY - 3)
    vocabulary = [0, vocabulary[0], 49406, 49407, *vocabulary[1:]]
    torch.manual_seed(7122)
    model = SpeechClip(config, vocabulary if config.cascaded else ())
    content: dict[str, Any] = official_content(model, vocabulary)
    settings = content["hyper_parameters"]["config"]
    if config.cascaded:
        settings["model_settings"] = HYBRID_PLUS
        settings["retrieval"] = {"audio_feat_src": config.search_branch}
    return write_official(path, content)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_full_size_is_converted_and_answers(room: Path, name: str) -> None:
    checkpoint, out = write_checkpoint(room / "model.ckpt", MODELS[name]), room / "model"
    size = checkpoint.stat().st_size
    made = peak_of(
        "from models.official.convert import convert",
        f"convert(Path({str(checkpoint)!r}), Path({str(out)!r}), {name!r})",
    )
    loaded = peak_of("from models.folder import find_model", f"model = find_model({str(out)!r}).load()")

    assert size > 0.9 * GIB
    assert made.all < 1.5 * size
    assert loaded.all < 1.5 * size
    folder = find_model(str(out))
    assert folder.config == MODELS[name]
    checkpoint.unlink()
    require_answers(SpeechClipEncoder(folder, "cpu"))


def require_answers(encoder: SpeechClipEncoder) -> None:
    second = 0.1 * np.random.default_rng(7122).standard_normal(16_000).astype(np.float32)
    picture = Image.effect_noise((300, 200), 80).convert("RGB")
    answers = [encoder.embed_images([picture]), encoder.embed_texts(["a dog in the snow"])]
    for branch in encoder.branches:
        speech = encoder.embed_speech([second], branch, return_keywords=True)
        answers.append(speech.vectors)
        if "cascaded" in encoder.branches:
            assert speech.keywords is not None
            assert all(len(slot.subwords) == 10 for slot in speech.keywords[0])
    for vectors in answers:
        assert vectors.shape == (1, encoder.dim)
        assert np.linalg.norm(vectors) == pytest.approx(1, abs=1e-5)
