"""What stands on the page is the answer to what was asked, or out of reach."""

from __future__ import annotations

from contextlib import suppress

import pytest
from playwright.sync_api import Error, Page, Route, expect

from tests.app.page.conftest import Visit

pytestmark = pytest.mark.slow

PASTE = """
    ([types, selector]) => {
        const data = new DataTransfer();
        if (types.includes("text")) data.setData("text/plain", "dog");
        data.items.add(new File([new Uint8Array(8)], "cell.png", { type: "image/png" }));
        const options = { clipboardData: data, bubbles: true };
        document.querySelector(selector).dispatchEvent(new ClipboardEvent("paste", options));
    }
"""


def ask(page: Page, words: str) -> None:
    page.get_by_role("searchbox").fill(words)
    page.keyboard.press("Enter")


def results(page: Page, *, in_reach: bool) -> None:
    expect(page.locator("#results")).to_have_js_property("inert", not in_reach)


def test_older_results_are_no_answer_to_what_was_given_up(visit: Visit) -> None:
    page = visit()
    ask(page, "cat")
    expect(page.locator("#images .name").first).to_have_text("cat")
    held: list[Route] = []
    page.route("**/embed**", lambda route: held.append(route))

    ask(page, "dog")
    page.keyboard.press("Escape")
    expect(page.locator("#status")).to_have_text("Cancelled")
    results(page, in_reach=False)

    with suppress(Error):  # it was given up
        held[0].continue_()
    page.unroute("**/embed**")
    page.evaluate("location.hash = '#status'")
    page.go_back()
    expect(page.locator("#images .name").first).to_have_text("dog")
    results(page, in_reach=True)


def test_captions_alone_are_something_that_was_found(visit: Visit) -> None:
    page = visit()
    page.route("**/search/images**", lambda route: route.fulfill(status=503, json={"code": "collection_damaged"}))

    ask(page, "dog")
    expect(page.locator("#captions .name").first).to_have_text("dog")
    expect(page.locator("#status")).to_contain_text("Nearest: dog")


@pytest.mark.parametrize(
    ("types", "selector", "asked"), [(["text"], "#text", 0), ([], "#text", 1), (["text"], "body", 1)]
)
def test_a_picture_is_pasted_where_no_text_is(types: list[str], selector: str, asked: int, visit: Visit) -> None:
    page = visit()
    page.evaluate(PASTE, [types, selector])

    expect(page.get_by_text("cell.png")).to_have_count(asked)
