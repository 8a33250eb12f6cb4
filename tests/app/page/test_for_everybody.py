"""The page for whoever has it before them: nothing that axe finds, any width, either side, light and dark, soon."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize, expect

from tests.app.page.conftest import PHONE, WIDE, Visit
from tests.patience import WAIT_MS

pytestmark = pytest.mark.slow

PAGE = Path(__file__).resolve().parents[3] / "app" / "page"
MOST_BYTES = 150_000


def searched(page: Page) -> None:
    page.get_by_role("searchbox").fill("dog")
    page.keyboard.press("Enter")
    expect(page.locator("#images li")).to_have_count(5)
    expect(page.locator("#results")).to_have_attribute("aria-busy", "false")


def opened(page: Page) -> None:
    searched(page)
    page.locator("#images button").first.click()
    page.get_by_role("button", name="Why this?").click()
    expect(page.locator("#why")).to_be_visible()


def listed(page: Page) -> None:
    expect(page.locator(".card")).to_have_count(4)


def filtered(page: Page) -> None:
    expect(page.locator(".items li")).to_have_count(5)
    page.locator(".items summary").first.click()
    page.get_by_role("button", name="Add a condition").click()
    page.get_by_label("Field", exact=True).fill("metadata.length")
    page.get_by_label("Value", exact=True).fill("5")


def sure(page: Page) -> None:
    page.get_by_role("button", name="Delete dog").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def carded(page: Page) -> None:
    expect(page.get_by_role("heading", name="Measured")).to_be_visible()


def measured(page: Page) -> None:
    expect(page.get_by_role("table").first).to_be_visible()


STATES: dict[str, tuple[str, Callable[[Page], None]]] = {
    "home": ("", lambda page: None),
    "search": ("search", searched),
    "picture": ("search", opened),
    "collections": ("collections", listed),
    "collection": ("collections/images", filtered),
    "dialog": ("collections/images", sure),
    "model": ("model", carded),
    "status": ("status", measured),
}


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (PHONE, "dark")], ids=["wide-light", "phone-dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(state: str, size: ViewportSize, scheme: str, visit: Visit) -> None:
    view, prepare = STATES[state]
    page = visit(view, size, scheme)
    prepare(page)

    found = Axe().run(page).response["violations"]

    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


@pytest.mark.parametrize("state", ["search", "collections", "collection", "model", "status"])
def test_nothing_is_wider_than_the_window(state: str, visit: Visit) -> None:
    """From a narrow phone to a wide screen, and written from either side."""
    view, prepare = STATES[state]
    page = visit(view)
    prepare(page)
    for direction in ("ltr", "rtl"):
        page.evaluate("(direction) => { document.dir = direction; }", direction)
        for width in (320, 390, 820, 1280, 2560):
            page.set_viewport_size(ViewportSize(width=width, height=800))
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (direction, width)


def test_the_whole_page_is_small(visit: Visit) -> None:
    """Every file of it, as much as a proxy that compresses would send."""
    sizes = {file.name: len(gzip.compress(file.read_bytes(), 9)) for file in PAGE.rglob("*.*")}

    assert sum(sizes.values()) < MOST_BYTES, sizes


def test_it_is_painted_within_a_second(visit: Visit) -> None:
    """The best of a few visits: what else the machine does is no fault of the page's."""
    for view in ("", "collections"):
        assert any(painted_ms(visit(view)) < 1000 for _ in range(10)), view


def painted_ms(page: Page) -> float:
    return float(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))


def test_without_scripts_it_says_what_it_is(visit: Visit, address: str) -> None:
    browser = visit().context.browser
    assert browser is not None
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.goto(address)

    expect(page.get_by_role("heading", level=1)).to_have_text("Say what you are looking for")
    assert "This page needs JavaScript." in page.content()
    context.close()
