"""Every file of `examples/` runs, against the real service with a real model, however small."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.main import create_app
from app.settings import Settings
from index.records import Record
from index.store import Store
from models.encoder import load_encoder
from tests.browser import serving
from tests.fake_encoder import WORDS, drawn
from tests.patience import WAIT_S
from tests.tiny_model import save_tiny_model

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
DATA = {"camel.wav"}

TEXTS = ("camel", "desert", "rain", "guitar")
LINES = {
    "search.py": "answered in",
    "search_async.py": "camel without desert:",
    "index_folder.py": "5 pictures in my-pictures",
    "keywords.py": " s to ",
    "openai_embeddings.py": "the recording is like",
    "curl.sh": '"results":',
}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service whose model has keyword slots, with a few records in each of the usual collections."""
    data = tmp_path_factory.mktemp("examples")
    encoder = load_encoder(str(save_tiny_model(data / "model", branch="hybrid")))
    store = Store(data / "collections")
    for name in ("images", "captions", "keywords"):
        with store.create(name, name, encoder.dim, encoder.fingerprint) as collection:
            collection.add([Record(text, caption=text) for text in TEXTS], encoder.embed_texts(TEXTS))
    with serving(create_app(Settings(data=data), encoder)) as url:
        yield url


def run(example: str, url: str, *arguments: str) -> str:
    """What it prints; it ends well, and says nothing of its troubles."""
    start = [sys.executable] if example.endswith(".py") else ["bash"]
    environment = {**os.environ, "SPEECHCLIP_URL": url, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [*start, str(EXAMPLES / example), *arguments], env=environment, capture_output=True, text=True, timeout=WAIT_S
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return done.stdout


def test_there_is_no_example_that_is_not_run() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.is_file()} == LINES.keys() | DATA


@pytest.mark.parametrize("example", sorted(LINES))
def test_it_runs(example: str, url: str, tmp_path: Path) -> None:
    if example.endswith(".sh") and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    arguments: tuple[str, ...] = ()
    if example == "index_folder.py":
        for word in WORDS:
            (tmp_path / f"{word}.png").write_bytes(drawn(word))
        arguments = (str(tmp_path), "dog")

    assert LINES[example] in run(example, url, *arguments)
