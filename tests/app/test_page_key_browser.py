"""The page of a service that asks for a key: a real Chromium, a real connection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from app.access.keys import KeyRule, digest
from app.main import create_app
from app.settings import Settings
from tests.app.conftest import make_store
from tests.browser import serving
from tests.fake_encoder import FakeEncoder
from tests.patience import WAIT_MS

pytestmark = pytest.mark.slow

KEY = "scs_key-of-the-page"


@pytest.fixture(scope="module")
def address(browser: Browser, media_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    data, encoder = tmp_path_factory.mktemp("locked"), FakeEncoder()
    make_store(data / "collections", encoder, media_root)
    keys = {"page": KeyRule(sha256=digest(KEY), scopes=frozenset({"search"}))}
    with serving(create_app(Settings(data=data, api_keys=keys), encoder)) as url:
        yield url


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context()
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.goto(address)
    yield page
    context.close()


def give(page: Page, key: str) -> None:
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_role("button", name="Go on").click()


def test_the_key_is_asked_for_once_and_then_words_and_pictures_come(page: Page) -> None:
    expect(page.get_by_role("dialog", name="This service asks for a key")).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    give(page, KEY)
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator("#service-text")).to_have_text("Ready · fake")
    page.get_by_role("searchbox").fill("dog")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#status")).to_contain_text("Nearest: dog")
    drawn = page.locator("#images img").first
    expect(drawn).to_be_visible()
    assert drawn.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0

    page.reload()
    expect(page.locator("#service-text")).to_have_text("Ready · fake")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert page.evaluate("document.cookie") == ""


def test_a_wrong_key_may_be_tried_again(page: Page) -> None:
    give(page, "wrong")
    expect(page.get_by_text("The service does not know this key.")).to_be_visible()
    give(page, KEY)
    expect(page.locator("#service-text")).to_have_text("Ready · fake")


def test_a_key_that_is_right_and_does_not_come_through_is_not_asked_for_again(page: Page) -> None:
    page.route("**/session", lambda route: route.fulfill(status=204))  # as where a browser keeps no cookies
    give(page, KEY)
    expect(page.get_by_role("dialog")).to_be_hidden()

    page.get_by_role("searchbox").fill("dog")
    page.get_by_role("button", name="Search", exact=True).click()
    give(page, KEY)

    expect(page.locator("#problem-title")).to_have_text("The service asks for a key first.")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_whoever_has_none_can_leave_and_is_told_what_is_missing(page: Page) -> None:
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("searchbox").fill("dog")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#problem-title")).to_have_text("The service asks for a key first.")
