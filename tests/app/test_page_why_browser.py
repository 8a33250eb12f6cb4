"""Why a picture was found, drawn over it: a real Chromium, and a model that sees colours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from app.main import create_app
from app.settings import Settings
from index.records import Record
from index.store import Store
from tests.app.looking_encoder import LookingEncoder, pair
from tests.browser import Watch, serving
from tests.patience import WAIT_MS

pytestmark = pytest.mark.slow

SIDE = 60
REDNESS = """() => {
    const canvas = document.querySelector("#viewer-heat");
    const { width, height } = canvas;
    const sums = [0, 0];
    canvas.getContext("2d").getImageData(0, 0, width, height).data.forEach((value, place) => {
        if (place % 4 === 3) sums[((place - 3) / 4) % width < width / 2 ? 0 : 1] += value;
    });
    return sums.map((sum) => sum / (width * height / 2));
}"""
COVERAGE = """() => {
    const box = (id) => document.querySelector(id).getBoundingClientRect();
    const [heat, image] = [box("#viewer-heat"), box("#viewer-image")];
    return [(heat.left - image.left) / image.width, heat.width / image.width, heat.height / image.height];
}"""


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The answer to "dog": a square picture with the dog on the left, and a wide one with white on both sides."""
    encoder, folder = LookingEncoder(), tmp_path / "pictures"
    folder.mkdir()
    pair(SIDE).save(folder / "square.png")
    pair(SIDE, margin=SIDE // 2).save(folder / "wide.png")
    records = [Record(id, f"{id}.png", id) for id in ("square", "wide")]
    vectors = np.stack([encoder.vector("dog")] * 2)
    with Store(tmp_path / "collections").create("images", "images", encoder.dim, encoder.fingerprint, folder) as made:
        made.add(records, vectors)
    with serving(create_app(Settings(data=tmp_path), encoder)) as address:
        watch, context = Watch(address), browser.new_context()
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        watch.attach(page)
        page.goto(f"{address}/#search/dog")
        page.locator("#images button").first.click()
        yield page
        context.close()
        assert watch.errors == []


def test_what_was_asked_for_is_red_and_said_in_words(page: Page) -> None:
    expect(page.locator("#viewer-heat")).to_be_hidden()

    page.get_by_role("button", name="Why this?").click()

    expect(page.locator("#why-text")).to_contain_text("What counts most is")
    expect(page.locator("#why-text")).to_contain_text("left")
    left, right = page.evaluate(REDNESS)
    assert left > 10 * max(right, 1)
    expect(page.locator(".honest")).to_contain_text("not what is right")
    assert page.evaluate(COVERAGE) == pytest.approx([0, 1, 1], abs=0.02)


def test_it_follows_to_the_next_picture_and_lies_over_what_the_model_sees(page: Page) -> None:
    page.get_by_role("button", name="Why this?").click()
    expect(page.locator("#viewer-heat")).to_be_visible()

    page.keyboard.press("ArrowRight")

    expect(page.get_by_role("dialog", name="wide")).to_be_visible()
    expect(page.locator("#viewer-heat")).to_be_visible()
    assert page.evaluate(COVERAGE) == pytest.approx([0.25, 0.5, 0.5], abs=0.02)


def test_it_goes_away_again(page: Page) -> None:
    why = page.get_by_role("button", name="Why this?")
    why.click()
    expect(page.locator("#viewer-heat")).to_be_visible()
    expect(why).to_have_attribute("aria-pressed", "true")

    why.click()

    expect(page.locator("#viewer-heat")).to_be_hidden()
    expect(page.locator("#why")).to_be_hidden()


def test_where_it_cannot_be_told_it_says_so(page: Page) -> None:
    problem = {"status": 404, "code": "media_not_found", "detail": "no file"}
    page.route("**/explain/**", lambda route: route.fulfill(status=404, json=problem))

    page.get_by_role("button", name="Why this?").click()

    expect(page.locator("#why-text")).to_contain_text("is not there")
    expect(page.locator("#viewer-heat")).to_be_hidden()
