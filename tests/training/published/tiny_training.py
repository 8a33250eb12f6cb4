"""A training of seconds: a tiny model, a corpus of coloured squares with a pitch each, and a recipe for both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from models.folder import ModelFolder, find_model
from models.speechclip import SpeechClip
from tests.audio_files import encode, tone
from tests.tiny_model import VOCABULARY, BranchName, save_tiny_model
from training.published.recipe import Recipe
from training.published.run import Training
from training.published.samples import Batch
from training.published.start import new_model

RATE = 16_000
SPLITS = {"train": 13, "val": 5}


def write_corpus(folder: Path) -> Path:
    """A manifest; every second utterance of a split has the image of the one before it."""
    folder.mkdir(parents=True)
    rows = []
    for split, count in SPLITS.items():
        for number in range(count):
            image = f"{split}-{number // 2}.png"
            Image.new("RGB", (20, 16), (30 * number, 200 - 10 * number, 90)).save(folder / image)
            audio = f"{split}-{number}.wav"
            wave = encode(tone(0.3 + 0.02 * number, RATE, 200 + 60 * number), RATE, "wav-16")
            (folder / audio).write_bytes(wave)
            rows.append({"audio": audio, "image": image, "text": f"square number {number}", "split": split})
    (folder / "manifest.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


def settings(start: Path | str, branch: BranchName = "parallel", **changes: Any) -> dict[str, Any]:
    """As in a recipe's file; `section__key` for what is in a section."""
    plus = branch.endswith("+")
    found: dict[str, Any] = {
        "name": f"tiny-{branch}",
        "start": str(start),
        "precision": "32-true",
        "save_every": 1,
        "model": {
            "branch": branch,
            "search_branch": "cascaded" if branch.startswith("cascaded") else "parallel",
            "normalize_waveform": False,
            "normalize_hidden_states": False,
            "parallel": {"heads": 2, "ffn_size": 32},
        },
        "loss": {
            "temperature_learnt": True,
            "parallel": 0.0 if branch.startswith("cascaded") else 1.0,
            "cascaded": 0.0 if branch == "parallel" else 1.5,
            "frames_per_keyword": 5,
            "scaling_steps": 2,
        },
        "optimiser": {"rate": 0.01, "warmup": 2, "steps": 8},
        "data": {"batch": 4, "validation_batch": 2, "most_samples": 6_000, "workers": 0},
    }
    if branch != "parallel":
        found["model"]["cascaded"] = {
            "heads": 1,
            "keywords": 4,
            "keyword_projection": [12],
            "batch_norm": "shared" if plus else "each",
            "cif": {} if plus else None,
        }
    for key, value in changes.items():
        section, _, inner = key.partition("__")
        if inner:
            found[section][inner] = value
        else:
            found[section] = value
    return found


def recipe(start: Path | str, branch: BranchName = "parallel", **changes: Any) -> Recipe:
    return Recipe.model_validate(settings(start, branch, **changes))


def tiny_start(folder: Path) -> ModelFolder:
    """What HuBERT and CLIP are taken from."""
    return find_model(str(save_tiny_model(folder)))


def fresh(start: ModelFolder, branch: BranchName, **changes: Any) -> tuple[SpeechClip, Recipe]:
    """A model before its first step."""
    told = recipe(start.path, branch, **changes)
    return new_model(told, start, VOCABULARY), told


def training(corpus: Path, start: Path, out: Path, branch: BranchName = "parallel", **changes: Any) -> Training:
    return Training(recipe(start, branch, **changes), "manifest", corpus, out, out / "nothing-pulled")


def noise_batch(size: int, seed: int = 0) -> Batch:
    """Utterances of different lengths; the last two have the same image id."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.arange(size) * 320 + 3_200
    waves = torch.randn(size, int(lengths.max()), generator=generator)
    waves[torch.arange(waves.shape[1]) >= lengths[:, None]] = 0
    images = torch.randn(size, 3, 16, 16, generator=generator)
    ids = torch.arange(size)
    ids[-1] = ids[-2]
    return Batch(waves, lengths, images, ids, torch.arange(size), [])
