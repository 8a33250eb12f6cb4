"""`speechclip models info`."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass

import typer
from pydantic import JsonValue
from safetensors import SafetensorError, safe_open

from app.cli.plain import plain
from app.cli.terminal import print_facts, print_json, size_of, waiting
from models.errors import ModelFolderError
from models.published.shelf import CARD, WEIGHTS

CARD_LINES = 12

FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
LICENCE = re.compile(r"^(?:licen[cs]e:|#+\s*licen[cs]e\s*$)\s*(?P<licence>\S.*)$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class ModelFacts:
    """What a model folder says of itself. `bytes`: of the weights; `numbers`: how many there are in them."""

    name: str
    path: str
    fingerprint: str
    dim: int
    branch: str
    numbers: int
    bytes: int
    licence: str | None
    config: dict[str, JsonValue]
    card: list[str]


def info(name_or_path: str, as_json: bool) -> None:
    """Print one model. Raises `models.errors.ModelError`."""
    with waiting("reading the model"):
        facts = facts_of(name_or_path)
    if as_json:
        print_json(asdict(facts))
        return
    config = [(f"config.{name}", json.dumps(value)) for name, value in facts.config.items()]
    print_facts(
        [
            ("name", facts.name),
            ("path", facts.path),
            ("fingerprint", facts.fingerprint),
            ("size", f"{size_of(facts.bytes)}, {facts.numbers:,} numbers"),
            ("licence", facts.licence or "not stated"),
            *config,
        ]
    )
    for line in ("", *facts.card):
        typer.echo(plain(line))


def facts_of(name_or_path: str) -> ModelFacts:
    """Read a model folder, without loading its weights. Raises `models.errors.ModelError`."""
    from models.folder import find_model

    folder = find_model(name_or_path)
    weights, card = folder.path / WEIGHTS, folder.path / CARD
    try:
        with safe_open(weights, framework="numpy") as file:
            names = list(file.keys())
            numbers = sum(math.prod(file.get_slice(name).get_shape()) for name in names)
    except SafetensorError as error:
        raise ModelFolderError(f"{weights} is damaged: {error}") from error
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    return ModelFacts(
        name=folder.config.name,
        path=str(folder.path),
        fingerprint=folder.fingerprint,
        dim=folder.config.embedding_size,
        branch=folder.config.branch,
        numbers=numbers,
        bytes=weights.stat().st_size,
        licence=licence_of(text),
        config=folder.config.model_dump(mode="json"),
        card=FRONT_MATTER.sub("", text).strip().splitlines()[:CARD_LINES],
    )


def licence_of(card: str) -> str | None:
    """What a model card says of the licence, if it does."""
    found = LICENCE.search(card)
    return found["licence"].strip() if found else None
