"""A running application with a small store and an encoder without a network."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Playwright, sync_playwright

from app.main import create_app
from app.settings import Settings
from index.records import Record
from index.store import Store
from tests.browser import find_chromium, open_browser
from tests.fake_encoder import WORDS, FakeEncoder, drawn
from tests.patience import wait_until

MakeClient = Callable[..., AbstractContextManager[TestClient]]


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """One at a time: it runs an event loop in the thread of the tests."""
    find_chromium()
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """A browser with a microphone that only beeps."""
    with open_browser(playwright, says=None) as browser:
        yield browser


@pytest.fixture(scope="session")
def media_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures, with a secret beside it that no request may reach."""
    folder = tmp_path_factory.mktemp("media")
    root = folder / "pictures"
    (root / "sub").mkdir(parents=True)
    for word in WORDS:
        (root / f"{word}.png").write_bytes(drawn(word))
    (root / "sub" / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>")
    (root / "page.html").write_text("<script>alert(1)</script>")
    (folder / "secret.txt").write_text("secret")
    (root / "link.png").symlink_to(folder / "secret.txt")
    (root / "circle.png").symlink_to(root / "circle.png")
    return root


def make_store(root: Path, encoder: FakeEncoder, media_root: Path) -> None:
    """Images, captions and keywords of the words that the encoder knows, and images in odd places."""
    store, words = Store(root), list(WORDS)
    vectors = np.stack([encoder.vector(word) for word in words])
    for name in ("images", "captions", "keywords"):
        folder = media_root if name == "images" else None
        records = [Record(word, f"{word}.png" if folder else None, word, {"length": len(word)}) for word in words]
        with store.create(name, name, encoder.dim, encoder.fingerprint, folder) as collection:
            collection.add(records, vectors)
    places = {
        "sub/drawing": "sub/drawing.svg",
        "page": "page.html",
        "up": "../secret.txt",
        "absolute": str(media_root.parent / "secret.txt"),
        "link": "link.png",
        "circle": "circle.png",
        "folder": "sub",
        "gone": "gone.png",
        "nul": "dog\0.png",
        "none": None,
        "web": "https://example.org/dog.png",
    }
    with store.create("odd", "images", encoder.dim, encoder.fingerprint, media_root) as collection:
        collection.add([Record(id, uri) for id, uri in places.items()], np.stack([vectors[0]] * len(places)))


@pytest.fixture(scope="session")
def collections(tmp_path_factory: pytest.TempPathFactory, media_root: Path) -> Path:
    """A folder of collections to copy."""
    folder = tmp_path_factory.mktemp("data") / "collections"
    make_store(folder, FakeEncoder(), media_root)
    return folder


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory, collections: Path) -> Iterator[TestClient]:
    """An application for tests that only ask."""
    data = tmp_path_factory.mktemp("client")
    shutil.copytree(collections, data / "collections")
    with TestClient(create_app(Settings(data=data), FakeEncoder())) as client:
        wait_until_ready(client)
        yield client


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def settings(tmp_path: Path, collections: Path) -> Settings:
    """Settings whose data folder holds collections of the encoder."""
    shutil.copytree(collections, tmp_path / "collections")
    return Settings(data=tmp_path)


@pytest.fixture
def make_client(settings: Settings, encoder: FakeEncoder) -> MakeClient:
    """Starts an application of the test's own, with changed settings, and waits until it is ready."""

    @contextmanager
    def start(**changes: object) -> Iterator[TestClient]:
        with TestClient(create_app(settings.model_copy(update=changes), encoder)) as client:
            wait_until_ready(client)
            encoder.forget()
            yield client
            encoder.open.set()

    return start


@pytest.fixture
def slots(make_client: MakeClient) -> Iterator[TestClient]:
    """A client of a test's own, for modules whose `encoder` has keyword slots."""
    with make_client() as client:
        yield client


def wait_until_ready(client: TestClient) -> None:
    wait_until(lambda: client.get("/readyz").status_code == 200, lambda: client.get("/readyz").text)
