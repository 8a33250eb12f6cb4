"""The page, used by a person: a real Chromium, the real service and the shipped model."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Playwright, ViewportSize, expect

from tests.browser import Watch, microphone_file, open_browser, running_service, synthetic_voice, watch_for
from tests.patience import WAIT_MS

pytestmark = pytest.mark.slow

NEAR = 10
"""A result is near when it is among so many."""

WORD = "dog"  # typed, or an example to click
SPOKEN = "princess"  # by a person and by espeak-ng
WIDE = ViewportSize(width=1440, height=900)
WINDOWS = (390, 820, 1440, 2560)
"""Pixels from a phone to a wide screen."""
# Bytes that only claim to be sound.
HOSTILE = b"RIFF\xff\xff\xff\xffWAVEfmt <script>document.title='owned'</script>" * 50

SECONDS = re.compile(r"\d\.\d s")

Scheme = Literal["light", "dark"]
Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def address(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_service(tmp_path_factory.mktemp("service") / "data") as url:
        yield url


@pytest.fixture(scope="module")
def synthetic(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser into whose microphone a synthetic voice says the word."""
    folder = tmp_path_factory.mktemp("voice")
    says = microphone_file(synthetic_voice(SPOKEN, folder / "voice.wav"), folder / "microphone.wav")
    with open_browser(playwright, says) as browser:
        yield browser


@pytest.fixture(scope="module")
def human(playwright: Playwright, human_speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser into whose microphone a person says the word."""
    recording = (human_speech / "words" / f"{SPOKEN}.ogg").read_bytes()
    says = microphone_file(recording, tmp_path_factory.mktemp("voice") / "microphone.wav")
    with open_browser(playwright, says) as browser:
        yield browser


@pytest.fixture
def visit(address: str) -> Iterator[Visit]:
    """Opens the page, ready to be asked; at the end nothing may have gone wrong in it."""
    watch = Watch(address)
    with ExitStack() as contexts:

        def visit(browser: Browser, size: ViewportSize = WIDE, scheme: Scheme = "light", scale: float = 1) -> Page:
            context = browser.new_context(viewport=size, color_scheme=scheme, device_scale_factor=scale)
            context.set_default_timeout(WAIT_MS)
            contexts.callback(context.close)
            page = context.new_page()
            watch.attach(page)
            page.goto(address)
            expect(page.locator("#service")).to_have_attribute("data-state", "ready")
            return page

        yield visit
    assert watch.errors == []
    assert watch.foreign == []


@pytest.mark.parametrize("voice", ["human", "synthetic"])
def test_a_spoken_word_finds_its_picture(voice: str, visit: Visit, request: pytest.FixtureRequest) -> None:
    page = visit(request.getfixturevalue(voice), scale=1.5)

    assert any(is_shown_before_the_end(page) for _ in range(10))  # a machine that was held up looks too late

    assert_found(page, SPOKEN)  # nobody presses again: the recording ends after the word
    expect(page.locator("#keywords li")).not_to_have_count(0)
    expect(page.locator("#captions li")).not_to_have_count(0)


def is_shown_before_the_end(page: Page) -> bool:
    """Speaks, and waits until the recording has ended; whether the picture was there before that."""
    page.reload()
    expect(page.locator("#service")).to_have_attribute("data-state", "ready")
    listens = watch_for(page, "document.querySelector('#status').textContent.includes('Listening')")
    shown = "[...document.querySelectorAll('#images .name')].some((one) => one.textContent.includes(word))"
    page.evaluate(
        f"""(word) => new MutationObserver(() => {{
            if ({shown}) document.body.dataset.found ??= document.querySelector(".voice").dataset.phase;
        }}).observe(document.body, {{ subtree: true, childList: true, characterData: true }})""",
        SPOKEN,
    )
    page.get_by_role("button", name="Speak").click()
    listens()
    assert_answered(page)
    return page.locator("body").get_attribute("data-found") == "recording"


def test_the_query_can_be_heard_again_and_the_time_it_took_is_told(synthetic: Browser, visit: Visit) -> None:
    page = visit(synthetic)
    speak_by_keyboard(page)
    assert_answered(page)

    plays = watch_for(page, "document.querySelector('button[aria-label^=\"Pause: What you said\"]')")
    page.get_by_role("button", name="Play: What you said").click()

    plays()
    expect(page.locator("#query .seconds")).to_have_text(SECONDS)
    expect(page.locator("#timings-text")).to_contain_text("ms")


def test_the_model_hears_a_query_once(browser: Browser, visit: Visit, tmp_path: Path) -> None:
    page = visit(browser)
    sent: list[tuple[str, str]] = []
    page.on("request", lambda request: sent.append((request.method, urlsplit(request.url).path)))

    choose(page, "word.wav", "audio/wav", synthetic_voice(WORD, tmp_path / "word.wav"))
    assert_answered(page)

    posted = [path for method, path in sent if method == "POST"]
    assert posted[0] == "/keywords"  # the words of the utterance in time, and its vector for the others
    assert sorted(posted[1:]) == ["/search/captions", "/search/images"]


def test_the_time_that_is_told_is_the_sum_of_its_parts(browser: Browser, visit: Visit) -> None:
    page = visit(browser)
    page.get_by_role("button", name=WORD, exact=True).click()
    assert_answered(page)

    told = page.locator("#timings-text").inner_text()
    total, *parts = (float(number) for number in re.findall(r"\d+(?:\.\d+)?", told))
    assert total == pytest.approx(sum(parts), abs=0.6 * (len(parts) + 1))  # each is rounded by itself
    assert f" in {round(total)} ms." in page.locator("#status").inner_text()


def test_a_collection_that_cannot_be_searched_leaves_the_others(browser: Browser, visit: Visit) -> None:
    page = visit(browser)
    problem = {"status": 503, "code": "collection_damaged", "detail": "the records are damaged"}
    page.route("**/keywords?*", lambda route: route.fulfill(status=503, json=problem))

    page.get_by_role("button", name=WORD, exact=True).click()

    assert_answered(page)
    expect(page.locator(".panel.keywords .note")).to_contain_text("damaged")
    expect(page.locator("#captions li")).not_to_have_count(0)


def test_a_typed_text_finds_its_picture_and_a_keyword_searches_on(browser: Browser, visit: Visit) -> None:
    page = visit(browser)
    page.get_by_role("searchbox").fill(WORD)
    page.get_by_role("button", name="Search", exact=True).click()
    assert_found(page, WORD)

    keyword = page.locator("#keywords .name").nth(1).inner_text()
    page.locator("#keywords button").nth(1).click()

    expect(page.locator("#query-content strong")).to_have_text(keyword)
    assert_answered(page)


def test_a_chosen_and_a_dropped_sound_are_searched_with(browser: Browser, visit: Visit, tmp_path: Path) -> None:
    page = visit(browser)
    sound = synthetic_voice(WORD, tmp_path / "word.wav")

    choose(page, "word.wav", "audio/wav", sound)
    assert_answered(page)
    chosen = names(page)
    page.reload()
    drop(page, "word.wav", "", sound)

    assert_answered(page)
    assert names(page) == chosen


@pytest.mark.parametrize(
    ("word", "shown"),
    [("golf", "golf"), ("tango", "dancing"), ("x-ray", "x ray"), ("family", "family"), ("location", "pushpin")],
)
def test_a_recording_that_is_clicked_finds_its_picture(word: str, shown: str, browser: Browser, visit: Visit) -> None:
    page = visit(browser)

    page.get_by_role("list", name="Spoken examples").get_by_role("button", name=word).click()

    assert_answered(page)
    assert shown in names(page)[0]


def test_a_picture_is_viewed_large_and_more_like_it_are_found(browser: Browser, visit: Visit) -> None:
    page = visit(browser)
    page.get_by_role("button", name=WORD, exact=True).click()
    assert_answered(page)
    first, second = names(page)[:2]

    page.locator("#images button").first.click()
    expect(page.get_by_role("dialog", name=first)).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("dialog").get_by_role("heading")).to_have_text(second)
    page.get_by_role("button", name="More like this").click()

    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator("#query")).to_contain_text("More like")
    assert_answered(page)
    assert names(page)[0] == second  # nothing is nearer to a picture than itself


@pytest.mark.parametrize(
    ("name", "kind", "content", "words"),
    [
        ("hostile.wav", "audio/wav", HOSTILE, "could not be read"),
        ("hostile.png", "image/png", b"\x89PNG" + HOSTILE, "could not be read"),
        ("unknown", "", HOSTILE, "could not be read"),
        ("empty.wav", "audio/wav", b"", "is empty"),
        ("large.wav", "audio/wav", bytes(11 * 1024 * 1024), "too big"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_plain_words(
    name: str, kind: str, content: bytes, words: str, browser: Browser, visit: Visit
) -> None:
    page = visit(browser)

    choose(page, name, kind, content)

    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.get_by_role("button", name="Dismiss")).to_be_visible()
    expect(page).not_to_have_title("owned")


def test_what_the_service_says_is_never_markup(browser: Browser, visit: Visit) -> None:
    page = visit(browser)
    attack = "<img src=x onerror=\"document.title='owned'\">"

    page.get_by_role("searchbox").fill(attack)
    page.keyboard.press("Enter")

    assert_answered(page)
    expect(page.locator("#query-content strong")).to_have_text(attack)


def test_a_refused_microphone_is_explained_and_typing_still_works(playwright: Playwright, visit: Visit) -> None:
    with open_browser(playwright, says=None, allowed=False) as refusing:
        page = visit(refusing)
        page.get_by_role("button", name="Speak").click()
        expect(page.get_by_role("alert")).to_contain_text("microphone is blocked")

        page.get_by_role("searchbox").fill(WORD)
        page.keyboard.press("Enter")

        assert_answered(page)
        expect(page.get_by_role("alert")).to_be_hidden()


def test_the_keyboard_alone_is_enough(synthetic: Browser, visit: Visit) -> None:
    page = visit(synthetic)
    speak_by_keyboard(page)
    assert_answered(page)

    for _ in range(7):
        page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("link", name="Skip to the results")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#images button").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#images button").first).to_be_focused()


def test_a_newer_query_replaces_an_older_one(browser: Browser, visit: Visit) -> None:
    page = visit(browser)
    for text in ("cat", "rocket", "guitar", WORD):
        page.get_by_role("searchbox").fill(text)
        page.keyboard.press("Enter")

    assert_answered(page)
    together = names(page)
    page.reload()
    page.get_by_role("button", name=WORD, exact=True).click()
    assert_answered(page)
    assert names(page) == together


@pytest.mark.parametrize("width", WINDOWS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(width: int, scheme: Scheme, browser: Browser, visit: Visit) -> None:
    page = visit(browser, ViewportSize(width=width, height=900), scheme)
    page.get_by_role("searchbox").fill("w" * 300)
    page.keyboard.press("Enter")
    assert_answered(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def speak_by_keyboard(page: Page) -> None:
    """Goes to the button from the top of the page and presses it."""
    while not page.get_by_role("button", name="Speak").evaluate("button => button === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")


def choose(page: Page, name: str, kind: str, content: bytes) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a sound or a picture").click()
    chooser.value.set_files({"name": name, "mimeType": kind, "buffer": content})


def drop(page: Page, name: str, kind: str, content: bytes) -> None:
    page.evaluate(
        """([name, type, data]) => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name, { type }));
            for (const event of ["dragover", "drop"]) {
                document.body.dispatchEvent(new DragEvent(event, { dataTransfer, bubbles: true, cancelable: true }));
            }
        }""",
        [name, kind, base64.b64encode(content).decode()],
    )


def assert_answered(page: Page) -> None:
    expect(page.locator("#status")).to_contain_text(" ms. Nearest: ")
    expect(page.locator("#images li")).not_to_have_count(0)


def assert_found(page: Page, word: str) -> None:
    assert_answered(page)
    assert any(word in name.split() for name in names(page)[:NEAR]), names(page)


def names(page: Page) -> list[str]:
    """What the pictures show, the nearest first."""
    return page.locator("#images .name").all_inner_texts()
