"""The page while someone speaks: results move in, and nothing that happens to the line or the microphone loses them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Playwright, Route, WebSocketRoute, expect

from app.main import create_app
from app.settings import Settings
from tests.browser import Watch, microphone_file, open_browser, serving, watch_for
from tests.fake_encoder import FakeEncoder, tone, wav
from tests.patience import WAIT_MS

pytestmark = pytest.mark.slow

WORD = "rocket"
LONG_S = 40.0  # longer than a recording may be: none ends by itself
LIMIT_S = 3.0
LOSE = "navigator.mediaDevices.lose = () => track.dispatchEvent(new Event('ended'))"
UNPLUGGABLE = f"""
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => {{
        const stream = await open(wanted);
        const [track] = stream.getTracks();
        {LOSE};
        return stream;
    }};
"""
MISSING = """
    navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("none", "NotFoundError"); };
"""

Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def browser(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser into whose microphone the word is "spoken" for a long time."""
    says = microphone_file(wav(tone(WORD, LONG_S)), tmp_path_factory.mktemp("voice") / "microphone.wav")
    with open_browser(playwright, says) as browser:
        yield browser


@pytest.fixture
def address(settings: Settings, encoder: FakeEncoder) -> Iterator[str]:
    with serving(create_app(settings, encoder)) as url:
        yield url


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens the page, ready to be asked; at the end nothing may have gone wrong in it."""
    watches: list[Watch] = []
    with ExitStack() as contexts:

        def visit(address: str, script: str = "", motion: str = "no-preference", watched: bool = True) -> Page:
            context = browser.new_context(reduced_motion="reduce" if motion == "reduce" else "no-preference")
            context.set_default_timeout(WAIT_MS)
            contexts.callback(context.close)
            page = context.new_page()
            if script:
                page.add_init_script(script)
            if watched:
                watches.append(Watch(address))
                watches[-1].attach(page)
            page.goto(address)
            expect(page.locator("#service")).to_have_attribute("data-state", "ready")
            return page

        yield visit
    assert [error for watch in watches for error in watch.errors] == []
    assert [url for watch in watches for url in watch.foreign] == []


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_results_move_in_before_the_word_is_over_and_stay_where_they_are(
    address: str, visit: Visit, motion: str
) -> None:
    page = visit(address, motion=motion)
    posted = posts(page)

    speak(page)

    first = page.locator("#images .name").first
    expect(first).to_have_text(WORD)
    assert is_recording(page)
    page.evaluate("document.querySelector('#images li').sameAsBefore = true")
    press(page)
    assert_found(page)
    assert page.evaluate("document.querySelector('#images li').sameAsBefore")
    expect(page.locator("#keywords .name").first).to_have_text(WORD)
    expect(page.locator("#captions .name").first).to_have_text(WORD)
    expect(page.get_by_role("button", name="Play: What you said")).to_be_visible()
    assert posted == []  # all of it went through the stream


@pytest.mark.parametrize("with_keyboard", [False, True])
def test_a_button_that_is_held_listens_until_it_is_let_go(address: str, visit: Visit, with_keyboard: bool) -> None:
    page = visit(address)
    if with_keyboard:
        page.keyboard.down(" ")
    else:
        page.get_by_role("button", name="Speak").hover()
        page.mouse.down()
    expect(page.locator("#status")).to_have_text("Listening. Let go when you are done")
    assert Axe().run(page).response["violations"] == []
    expect(page.locator("#images .name").first).to_have_text(WORD)
    if with_keyboard:
        page.keyboard.up(" ")
    else:
        page.mouse.up()

    expect(page.locator(".voice")).to_have_attribute("data-phase", "idle")
    assert_found(page)


def test_a_button_that_is_held_outlasts_a_pause(address: str, visit: Visit) -> None:
    page = visit(address)
    final = {"type": "final", "seconds": 0.5, "searches": {}, "keywords": {"keywords": []}, "vector": []}
    page.route_web_socket("**/stream", lambda socket: socket.send(json.dumps(final)))
    posted = posts(page)
    page.get_by_role("button", name="Speak").hover()

    page.mouse.down()
    expect(page.locator("#elapsed")).to_have_text(re.compile(r"^0:0[1-9]"))
    assert is_recording(page)
    assert posted == []
    page.mouse.up()

    assert_found(page)
    assert posted[0] == "/keywords"  # all of it, not only what was said before the pause
    assert recorded_s(page) > 0.9


def test_a_picture_is_explained_with_the_vector_that_found_it(address: str, visit: Visit) -> None:
    page = visit(address)
    speak(page)
    press(page)
    assert_found(page)

    page.locator("#images button").first.click()
    with page.expect_request("**/explain/**") as asked:
        page.get_by_role("button", name="Why this?").click()

    sent = json.loads(asked.value.post_data or "")
    assert (list(sent), len(sent["vector"])) == (["vector"], FakeEncoder().dim)


def test_a_line_that_is_refused_costs_nothing_but_the_time(address: str, visit: Visit) -> None:
    page = visit(address)
    page.route_web_socket("**/stream", lambda socket: socket.close())
    posted = posts(page)

    speak(page)
    press(page)

    assert_found(page)
    assert posted[0] == "/keywords"


def test_an_answer_that_does_not_come_is_asked_for_again(address: str, visit: Visit) -> None:
    page = visit(address)
    heard: list[bytes] = []
    page.route_web_socket("**/stream", lambda socket: say_nothing(socket, heard))

    speak(page)
    press(page)

    assert_found(page)
    samples = np.frombuffer(b"".join(heard), "<i2")
    assert 0.4 < len(samples) / 16_000 <= recorded_s(page) + 0.1  # it went out as it was spoken


def test_a_service_that_is_too_busy_says_so_and_is_asked_again(address: str, visit: Visit) -> None:
    page = visit(address)
    problem = {"type": "problem", "status": 429, "code": "overloaded", "title": "", "detail": "", "retry_after": 1}
    page.route_web_socket("**/stream", lambda socket: refuse(socket, problem))
    tries: list[str] = []
    page.route("**/keywords**", lambda route: refuse_once(route, tries))

    speak(page)
    expect(page.locator("#status")).to_contain_text("What you say is kept")
    waits = watch_for(page, "document.querySelector('#status').textContent.includes('Trying again in 1 s')")
    press(page)

    waits()
    assert_found(page)
    assert len(tries) == 2


def test_a_microphone_that_goes_away_leaves_what_was_said(address: str, visit: Visit) -> None:
    page = visit(address, UNPLUGGABLE)
    speak(page)
    expect(page.locator("#images .name").first).to_have_text(WORD)

    page.evaluate("navigator.mediaDevices.lose()")

    expect(page.get_by_role("alert")).to_contain_text("microphone went away")
    assert_found(page)
    assert not is_recording(page)


def test_no_microphone_is_explained(address: str, visit: Visit) -> None:
    page = visit(address, MISSING)

    speak(page, heard=False)

    expect(page.get_by_role("alert")).to_contain_text("No microphone was found")


def test_escape_forgets_a_recording(address: str, visit: Visit) -> None:
    page = visit(address)
    page.keyboard.press(" ")
    expect(page.locator("#status")).to_contain_text("Listening")

    page.keyboard.press("Escape")

    expect(page.locator("#status")).to_have_text("Cancelled")
    expect(page.locator("#query")).to_be_hidden()


def test_a_recording_of_somebody_who_talks_on_and_on_ends_at_the_limit(
    settings: Settings, encoder: FakeEncoder, browser: Browser
) -> None:
    """Chromium hears a voice for 40 seconds, and nothing but the service's own limit can end it."""
    limited = create_app(settings.model_copy(update={"max_seconds": LIMIT_S}), encoder)
    with serving(limited) as address, browser.new_page() as page:
        heard: list[bytes] = []
        page.on("websocket", lambda socket: socket.on("framesent", lambda sent: keep_audio(sent, heard)))
        page.goto(address)
        expect(page.locator("#service-text")).to_contain_text("fake")

        speak(page)

        expect(page.locator("#elapsed")).to_contain_text(f"/ 0:0{LIMIT_S:.0f}")
        assert_found(page)
        expect(page.locator(".voice")).to_have_attribute("data-phase", "idle")
        seconds = float(page.locator("#query .seconds").inner_text().removesuffix(" s"))
        assert LIMIT_S - 0.3 <= seconds <= LIMIT_S
        assert 0 < len(b"".join(heard)) / 2 / 16_000 <= LIMIT_S
        assert loud(heard[-1])  # the voice was still there when it ended


def test_a_query_outlives_a_restart_of_the_service(
    settings: Settings, encoder: FakeEncoder, visit: Visit, tmp_path: Path
) -> None:
    other = settings.model_copy(update={"data": tmp_path / "again"})
    shutil.copytree(settings.data / "collections", other.data / "collections")
    with serving(create_app(settings, encoder)) as address:
        page = visit(address, watched=False)  # a browser complains of a service that is away
    page.get_by_role("searchbox").fill(WORD)
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("kept until the service is ready")

    with serving(create_app(other, encoder), urlsplit(address).port):
        assert_found(page)


def speak(page: Page, heard: bool = True) -> None:
    page.get_by_role("button", name="Speak").click()
    if heard:
        expect(page.locator(".voice")).to_have_attribute("data-phase", "recording")


def press(page: Page) -> None:
    """Ends the recording by hand once there is a second of it."""
    expect(page.locator("#elapsed")).to_have_text(re.compile(r"^0:(0[1-9]|[1-9])"))
    page.get_by_role("button", name="Stop and search").click()


def assert_found(page: Page) -> None:
    expect(page.locator("#status")).to_contain_text(f"Nearest: {WORD}.")


def recorded_s(page: Page) -> float:
    return float(page.locator("#query .seconds").inner_text().removesuffix(" s"))


def is_recording(page: Page) -> bool:
    return page.locator(".voice").get_attribute("data-phase") == "recording"


def posts(page: Page) -> list[str]:
    """The paths that are posted to from now on."""
    found: list[str] = []
    page.on("request", lambda request: found.extend([urlsplit(request.url).path] * (request.method == "POST")))
    return found


def say_nothing(socket: WebSocketRoute, heard: list[bytes]) -> None:
    socket.on_message(lambda message: heard.append(message) if isinstance(message, bytes) else None)


def keep_audio(sent: bytes | str, heard: list[bytes]) -> None:
    if isinstance(sent, bytes):
        heard.append(sent)


def loud(pcm: bytes) -> bool:
    return bool(np.abs(np.frombuffer(pcm, "<i2")).max() > 1000)


def refuse(socket: WebSocketRoute, problem: dict[str, object]) -> None:
    socket.send(json.dumps(problem))
    socket.close(code=1013)


def refuse_once(route: Route, tries: list[str]) -> None:
    tries.append(route.request.url)
    if len(tries) > 1:
        route.continue_()
    else:
        problem = {"status": 429, "code": "overloaded", "detail": "too many"}
        route.fulfill(status=429, json=problem, headers={"Retry-After": "1"})
