"""A tiny checkpoint of the authors' layout as somebody might publish it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from models.config import ModelConfig
from models.published.registry import PublishedModel
from tests.official_checkpoint import official_content, write_official
from tests.tiny_model import VOCABULARY, tiny_config, tiny_speechclip

TINY = PublishedModel(
    name="somebody/parallel-tiny",
    repository="Somebody/speech.models",
    file="tiny/parallel+/epoch=1-step=2-val_recall_mean_10=3.4.ckpt",
    branch="parallel",
    hubert="tiny",
    clip="tiny",
    trained_on="nothing",
    embedding_size=8,
    hidden_size=64,
    layers=2,
)


def registry_toml(*models: PublishedModel, **changes: object) -> str:
    """A registry file with these models, each with the changes; None leaves a key out."""
    entries = [model.model_dump(mode="json") | changes for model in models]
    return "\n".join("[[models]]\n" + "".join(_lines(entry)) for entry in entries)


def write_checkpoint(path: Path) -> bytes:
    """What the hub serves for `TINY`; all its attention heads are as wide as the published models' are."""
    config = tiny_config().model_dump()
    config["audio"] |= {"hidden_size": 64, "heads": 1}
    config["clip"]["text"] |= {"width": 64, "heads": 1}
    config["clip"]["vision"] |= {"width": 64, "head_width": 64}
    model = tiny_speechclip(ModelConfig.model_validate(config))
    return write_official(path, official_content(model, list(VOCABULARY))).read_bytes()


def _lines(entry: Mapping[str, object]) -> Iterator[str]:
    for key, value in entry.items():
        if value is not None:
            yield f"{key} = {json.dumps(value)}\n"  # JSON's strings and numbers are TOML's, too
