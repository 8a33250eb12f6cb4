"""Models of the published sizes with random weights: how long they take does not depend on the values."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import torch

from models.config import (
    AudioConfig,
    CascadedConfig,
    ClipConfig,
    ModelConfig,
    ParallelConfig,
    Precision,
    TextConfig,
    VisionConfig,
)
from models.encoder import SpeechClipEncoder
from models.folder import ModelFolder, find_model, save_model
from models.speechclip import SpeechClip

_VOCABULARY = 8112  # sub-words in Flickr8k's captions

_LARGE_AUDIO = AudioConfig(
    hidden_size=1024,
    layers=24,
    heads=16,
    ffn_size=4096,
    conv_norm="layer",
    pre_norm=True,
    normalize_waveform=True,
    normalize_hidden_states=True,
)
_LARGE_CLIP = ClipConfig(
    vision=VisionConfig(patch_size=14, width=1024, layers=24), text=TextConfig(width=768, heads=12)
)
NAMES = ("nano", "base-parallel", "base-cascaded", "large-parallel", "large-cascaded")


@dataclass(frozen=True)
class RandomModel(ModelFolder):
    """In no folder; the same for the same seed."""

    seed: int = 0

    def load(self) -> SpeechClip:
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            return SpeechClip(self.config, self.vocabulary if self.config.cascaded else ()).eval()


def model(name: str, seed: int) -> ModelFolder:
    """One of `NAMES`; nano is the one that ships."""
    if name == "nano":
        return find_model("nano")
    words = random.Random(seed).sample(range(1, 49406), _VOCABULARY - 3)
    return RandomModel(Path(), config(name), [0, words[0], 49406, 49407, *words[1:]], name, seed)


def config(name: str) -> ModelConfig:
    """Of one of `NAMES` but nano."""
    size, branch = name.split("-")
    if size == "base":
        made = ModelConfig(name=name, parallel=ParallelConfig(ffn_size=3072))
    else:
        made = ModelConfig(name=name, embedding_size=768, audio=_LARGE_AUDIO, clip=_LARGE_CLIP)
    if branch == "parallel":
        return made
    cascaded = {"branch": branch, "search_branch": branch, "cascaded": CascadedConfig(vocabulary_size=_VOCABULARY)}
    return ModelConfig.model_validate(made.model_dump() | cascaded)


def model_folder(name: str, folder: Path, seed: int) -> str:
    """What `load_encoder` takes. One of `NAMES` is written to `folder`; all else is a model, or a folder, already."""
    if name == "nano" or name not in NAMES:
        return name
    made = model(name, seed)
    save_model(made.load(), folder, made.vocabulary, f"# {name}\n\nRandom weights.\n")
    return str(folder)


def encoder(folder: ModelFolder, precision: Precision = "fp32") -> SpeechClipEncoder:
    """On the CPU."""
    return SpeechClipEncoder(folder, "cpu", precision)
