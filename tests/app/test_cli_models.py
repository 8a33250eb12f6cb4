"""`speechclip models info`, and real models in the other commands."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.settings import Settings
from models.folder import find_model
from models.published.shelf import CARD, CONFIG, SHIPPED, WEIGHTS
from tests.app.cli_runner import Speechclip
from tests.fake_encoder import FakeEncoder, drawn
from tests.tiny_model import save_tiny_model, tiny_speechclip

CARD_TEXT = """---
license: MIT
tags: [speech]
---
# tiny

A model for tests.
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def speechclip(tmp_path: Path, encoder: FakeEncoder) -> Speechclip:
    """With the real models."""
    return Speechclip(tmp_path / "data", encoder)


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny, tmp_path / "copy"))


def test_info(speechclip: Speechclip, copy: Path) -> None:
    (copy / CARD).write_text(CARD_TEXT)
    facts = speechclip.json("models", "info", copy)

    assert (facts["name"], facts["dim"], facts["branch"], facts["licence"]) == ("tiny", 8, "parallel", "MIT")
    assert facts["fingerprint"] == find_model(str(copy)).fingerprint
    assert facts["path"] == str(copy)
    assert facts["bytes"] == (copy / WEIGHTS).stat().st_size
    assert facts["numbers"] == sum(tensor.numel() for tensor in tiny_speechclip().state_dict().values())
    assert facts["config"]["audio"]["layers"] == 2
    assert facts["card"] == ["# tiny", "", "A model for tests."]


def test_info_for_people(speechclip: Speechclip, copy: Path) -> None:
    (copy / CARD).write_text(f"# \x1b[31mtiny\n\n## Licence\n\nMIT, like the rest.\n{'line' * 9}\n")
    result = speechclip.run("models", "info", copy)

    assert (result.exit_code, result.stderr) == (0, "")
    lines = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    assert ["licence", "MIT, like the rest."] in lines
    assert ["config.embedding_size", "8"] in lines
    assert "# �[31mtiny" in result.stdout


def test_a_model_without_a_card(speechclip: Speechclip, copy: Path) -> None:
    (copy / CARD).unlink()
    facts = speechclip.json("models", "info", copy)

    assert (facts["licence"], facts["card"]) == (None, [])
    assert "not stated" in speechclip.run("models", "info", copy).stdout


def test_the_model_in_use(speechclip: Speechclip, tiny: Path) -> None:
    result = speechclip.run("models", "info", "--json", SPEECHCLIP_MODEL=str(tiny))

    assert '"name": "tiny"' in result.stdout


@pytest.mark.parametrize("file", [CONFIG, WEIGHTS])
def test_models_that_are_no_models(speechclip: Speechclip, copy: Path, file: str) -> None:
    (copy / file).write_bytes(b"{")
    assert file in speechclip.refused("models", "info", copy)
    (copy / file).unlink()
    assert f"{file} not found" in speechclip.refused("models", "info", copy)


def test_a_real_model_searches(speechclip: Speechclip, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for word in ("dog", "cat"):
        (tmp_path / "pictures" / f"{word}.png").write_bytes(drawn(word))
    speechclip.json("index", "pets", tmp_path / "pictures", "--model", tiny)

    picture = tmp_path / "pictures" / "cat.png"
    answer = speechclip.json("search", picture, "--collection", "pets", "--model", tiny)
    assert answer["results"][0]["score"] == pytest.approx(1, abs=1e-4)
    assert answer["model"]["name"] == "tiny"


@pytest.mark.slow
def test_the_shipped_model_answers_on_a_fresh_machine(speechclip: Speechclip) -> None:
    """The default collections are made on the way."""
    captions = speechclip.json("search", "guitar", "--collection", "captions")["results"]
    assert captions[0]["caption"] == "guitar"
    assert captions[0]["score"] == pytest.approx(1, abs=1e-3)

    utterance = SHIPPED.parent / "app" / "utterance.flac"
    answer = speechclip.json("keywords", utterance)
    assert len(answer["keywords"]) == 10
    assert answer["query"]["kind"] == "audio"
    assert answer["model"]["name"] == Settings().model
