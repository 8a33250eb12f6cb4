"""Recordings to click: they are heard and asked with, and the page says whose they are."""

from __future__ import annotations

import re
from contextlib import suppress

import pytest
from playwright.sync_api import Error, Locator, Page, Route, expect

from models.audio import decode
from scripts.spoken_examples import FOLDER, PROMPTS
from tests.app.page.conftest import Visit

pytestmark = pytest.mark.slow

LONGEST_S = 2.0
LISTEN = """
    const play = HTMLMediaElement.prototype.play;
    window.heard = new Promise((done) => {
        HTMLMediaElement.prototype.play = function () {
            this.addEventListener("ended", () => done(this.currentTime));
            return play.call(this);
        };
    });
"""
"""The page then knows how much was played, to the end."""


def test_a_recording_is_played_and_asked_with_like_a_file(visit: Visit) -> None:
    page = visit()
    page.evaluate(f"() => {{ {LISTEN} }}")

    with page.expect_request("**/keywords**") as asked:
        chip(page, "golf").click()

    expect(page.get_by_role("button", name=re.compile("(Play|Pause): golf"))).to_be_visible()
    expect(page.locator("#status")).to_contain_text("Nearest: ")
    assert asked.value.headers["content-type"] == "audio/mpeg"
    assert 0.4 < page.evaluate("window.heard") < LONGEST_S


def test_the_one_that_was_clicked_last_is_asked(visit: Visit) -> None:
    page = visit()
    held: list[Route] = []
    page.route("**/golf.mp3", lambda route: held.append(route))

    with page.expect_request("**/golf.mp3"):
        chip(page, "golf").click()
    chip(page, "tango").click()

    expect(page.locator("#status")).to_contain_text("Nearest: ")
    with suppress(Error):  # it was given up
        held[0].continue_()
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("button", name=re.compile("(Play|Pause): tango"))).to_be_visible()


def test_one_that_cannot_be_had_is_told_of(visit: Visit) -> None:
    page = visit()
    page.route("**/golf.mp3", lambda route: route.fulfill(status=500))

    chip(page, "golf").click()

    expect(page.get_by_role("alert")).to_contain_text("went wrong")
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()


def test_the_page_says_whose_they_are(visit: Visit) -> None:
    page = visit()
    expect(page.locator(".credit")).to_have_text("Spoken by Allison Smith, CC BY-SA 3.0")

    page.get_by_role("link", name="CC BY-SA 3.0").click()

    for words in ("Allison Smith", "https://creativecommons.org/licenses/by-sa/3.0/", "What was changed"):
        expect(page.locator("body")).to_contain_text(words)


def test_every_chip_has_a_short_recording_and_the_licence_names_it(visit: Visit) -> None:
    licence = (FOLDER / "LICENSE.txt").read_text("utf-8")
    chips = visit().locator("#spoken button")

    words = [one.get_attribute("value") for one in chips.all()]

    assert words == list(PROMPTS)
    assert sorted(path.stem for path in FOLDER.glob("*.mp3")) == sorted(PROMPTS)
    for word, prompt in PROMPTS.items():
        assert re.search(rf"^{word}\.mp3 +{re.escape(prompt)}$", licence, re.M), word
        assert 0.4 < decode((FOLDER / f"{word}.mp3").read_bytes()).seconds < LONGEST_S


def chip(page: Page, word: str) -> Locator:
    return page.get_by_role("list", name="Spoken examples").get_by_role("button", name=word)
