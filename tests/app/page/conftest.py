"""The page in front of an encoder without a network: a real Chromium, a real connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from app.main import create_app
from app.settings import Settings
from tests.app.conftest import make_store
from tests.browser import Watch, serving
from tests.fake_encoder import FakeEncoder
from tests.patience import WAIT_MS

WIDE = ViewportSize(width=1280, height=800)
PHONE = ViewportSize(width=390, height=844)
CARD = Path(__file__).resolve().parents[3] / "models" / "nano" / "README.md"

Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def address(browser: Browser, media_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    data, encoder = tmp_path_factory.mktemp("page"), FakeEncoder()
    encoder.card = CARD.read_text("utf-8")
    make_store(data / "collections", encoder, media_root)
    with serving(create_app(Settings(data=data), encoder)) as url:
        yield url


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """Opens a view of the page, ready; at the end nothing may have gone wrong in it."""
    watch = Watch(address)
    with ExitStack() as contexts:

        def visit(view: str = "", size: ViewportSize = WIDE, scheme: str = "light") -> Page:
            # What is asked of the page is asked of how it looks in the end, not half way through a transition.
            context = browser.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            context.set_default_timeout(WAIT_MS)
            contexts.callback(context.close)
            page = context.new_page()
            watch.attach(page)
            page.goto(f"{address}/#{view}")
            expect(page.locator("#service-text")).to_have_text("Ready · fake")
            return page

        yield visit
    assert watch.errors == []
    assert watch.foreign == []
