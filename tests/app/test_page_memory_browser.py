"""What the page keeps and hands on: questions asked before, links, and pictures that are pasted."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from app.main import create_app
from app.settings import Settings
from tests.app.conftest import make_store
from tests.browser import Watch, serving
from tests.fake_encoder import FakeEncoder, drawn, spoken
from tests.patience import WAIT_MS

pytestmark = pytest.mark.slow

KEY = "speechclip.asked"
HOSTILE = [
    "no json",
    json.dumps({"kind": "text"}),
    json.dumps([None, 7, {"kind": "text", "text": ["dog"], "time": 1}, {"kind": "spell", "text": "dog", "time": 1}]),
]

Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def address(browser: Browser, media_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    data, encoder = tmp_path_factory.mktemp("memory"), FakeEncoder()
    make_store(data / "collections", encoder, media_root)
    with serving(create_app(Settings(data=data), encoder)) as url:
        yield url


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    """Opens the page at a part of it; at the end nothing may have gone wrong in it."""
    watch = Watch(address)
    context = browser.new_context()
    context.set_default_timeout(WAIT_MS)
    context.grant_permissions(["clipboard-read", "clipboard-write"])

    def visit(part: str = "", script: str = "") -> Page:
        page = context.new_page()
        watch.attach(page)
        if script:
            page.add_init_script(script)
        page.goto(f"{address}/{part}")
        expect(page.locator("#service")).to_have_attribute("data-state", "ready")
        return page

    yield visit
    context.close()
    assert watch.errors == []
    assert watch.foreign == []


def test_what_was_asked_is_there_after_a_reload_and_can_be_asked_again(visit: Visit) -> None:
    page = visit()
    ask(page, "dog")
    ask(page, "cat")
    ask(page, "dog")
    send(page, "secret name.wav", "audio/wav", spoken("apple"))
    assert_found(page, "apple")

    page.reload()
    page.get_by_text("Asked before").click()

    entries = page.locator("#history-list button")
    expect(entries).to_have_text(["applesound", "dogtyped", "cattyped"])
    assert "secret" not in page.evaluate("JSON.stringify(localStorage)")  # words that were found, and no file's name
    entries.nth(2).click()
    assert_found(page, "cat")


def test_everything_is_forgotten_at_once(visit: Visit) -> None:
    page = visit()
    ask(page, "dog")
    page.get_by_text("Asked before").click()

    page.get_by_role("button", name="Forget all").click()

    expect(page.locator("#history")).to_be_hidden()
    assert page.evaluate(f"localStorage.getItem('{KEY}')") == "[]"
    expect(page.get_by_role("searchbox")).to_be_focused()


@pytest.mark.parametrize("kept", HOSTILE)
def test_what_somebody_else_has_put_there_is_passed_over(visit: Visit, kept: str) -> None:
    page = visit(script=f"localStorage.setItem('{KEY}', {json.dumps(kept)})")

    expect(page.locator("#history")).to_be_hidden()
    ask(page, "dog")
    expect(page.locator("#history")).to_be_visible()


def test_a_browser_that_keeps_nothing_searches_all_the_same(visit: Visit) -> None:
    page = visit(script="Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }")

    ask(page, "dog")

    expect(page.locator("#history")).to_be_hidden()


def test_a_link_asks_what_it_says_and_going_back_asks_again(visit: Visit, address: str) -> None:
    page = visit("#search/red%20apple")
    expect(page.locator("#query-content strong")).to_have_text("red apple")
    ask(page, "guitar")
    page.get_by_role("button", name="Copy link").click()

    expect(page.locator("#shared")).to_have_text("The link was copied.")
    assert page.evaluate("navigator.clipboard.readText()") == f"{address}/#search/guitar"
    page.go_back()
    expect(page.locator("#query-content strong")).to_have_text("red apple")
    expect(page.get_by_role("searchbox")).to_have_value("red apple")


def test_only_a_text_has_a_link(visit: Visit) -> None:
    page = visit("#search/dog")
    assert_found(page, "dog")

    send(page, "cat.png", "image/png", drawn("cat"))

    assert_found(page, "cat")
    expect(page.get_by_role("button", name="Copy link")).to_be_hidden()
    assert page.evaluate("location.hash") == "#search"


def test_a_picture_that_is_pasted_is_searched_with(visit: Visit) -> None:
    page = visit()

    page.evaluate(
        """(data) => {
            const clipboardData = new DataTransfer();
            const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
            clipboardData.items.add(new File([bytes], "image.png", { type: "image/png" }));
            document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
        }""",
        base64.b64encode(drawn("rocket")).decode(),
    )

    assert_found(page, "rocket")


@pytest.mark.parametrize("width", [320, 1280])
def test_it_reads_from_the_right_as_well(visit: Visit, width: int) -> None:
    page = visit()
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("document.documentElement.dir = 'rtl'")

    ask(page, "dog")
    page.get_by_text("Asked before").click()

    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def ask(page: Page, words: str) -> None:
    page.get_by_role("searchbox").fill(words)
    page.keyboard.press("Enter")
    assert_found(page, words)


def send(page: Page, name: str, kind: str, content: bytes) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a sound or a picture").click()
    chooser.value.set_files({"name": name, "mimeType": kind, "buffer": content})


def assert_found(page: Page, name: str) -> None:
    expect(page.locator("#status")).to_contain_text(f"Nearest: {name}.")
