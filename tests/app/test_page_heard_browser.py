"""The page in front of a model with keyword slots: words in their place in time. A real Chromium, a real connection."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, Request, expect

from app.main import create_app
from app.settings import Settings
from tests.app.conftest import make_store
from tests.app.slot_encoder import SlotEncoder, said
from tests.browser import Watch, serving
from tests.fake_encoder import drawn, spoken
from tests.patience import WAIT_MS

pytestmark = pytest.mark.slow

LIST = "Words in it, in the order in which they were said"


@pytest.fixture(scope="module")
def address(browser: Browser, media_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    data, encoder = tmp_path_factory.mktemp("heard"), SlotEncoder()
    make_store(data / "collections", encoder, media_root)
    with serving(create_app(Settings(data=data), encoder)) as url:
        yield url


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page, ready and aware of its model; at the end nothing may have gone wrong in it."""
    watch = Watch(address)
    context = browser.new_context()
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    watch.attach(page)
    page.goto(address)
    expect(page.locator("#service-text")).to_have_text("Ready · slots")
    yield page
    context.close()
    assert watch.errors == []
    assert watch.foreign == []


def ask(page: Page, content: bytes, kind: str = "audio/wav") -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a sound or a picture").click()
    chooser.value.set_files({"name": "query", "mimeType": kind, "buffer": content})
    expect(page.locator("#status")).to_contain_text(" ms. Nearest: ")


def chips(page: Page) -> Locator:
    """The words; beside each is a button that plays it."""
    return page.get_by_role("list", name=LIST).locator("button:not(.play)")


def places(page: Page) -> list[tuple[float, float]]:
    """Where the marks begin and end, from 0 to 1 along the sound."""
    found: list[list[float]] = page.evaluate(
        """() => {
            const whole = document.querySelector(".wave canvas").getBoundingClientRect();
            return [...document.querySelectorAll(".marks i")].map((mark) => {
                const { left, right } = mark.getBoundingClientRect();
                return [(left - whole.left) / whole.width, (right - whole.left) / whole.width];
            });
        }"""
    )
    return [(round(start, 2), round(end, 2)) for start, end in found]


def test_words_are_shown_once_each_with_their_time_in_order(page: Page) -> None:
    ask(page, said("rocket", "guitar", "rocket", "cat"))

    texts = [re.sub(r"\s+", " ", text) for text in chips(page).all_inner_texts()]
    assert sorted(text.split()[0] for text in texts) == ["cat", "guitar", "rocket"]
    times = {text.split(maxsplit=1)[0]: text.split(maxsplit=1)[1] for text in texts}
    assert times["guitar"] == "0.5–1.0 s"
    assert times["cat"] == "1.5–2.0 s"
    assert times["rocket"] in ("0.0–0.5 s", "1.0–1.5 s")
    assert list(times.values()) == sorted(times.values())
    assert page.locator("#images .name").first.inner_text() == "rocket"
    assert page.locator("#keywords .name").first.inner_text() == "rocket"


def test_marks_lie_under_the_sound_where_the_words_were_said(page: Page) -> None:
    ask(page, said("dog", "guitar"))

    assert places(page) == [(0.0, 0.5), (0.5, 1.0)]
    chips(page).last.focus()
    assert page.locator(".marks i").evaluate_all("all => all.map((mark) => mark.className)") == ["", "shown"]


def test_the_model_hears_a_query_once(page: Page) -> None:
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request))

    ask(page, said("dog", "guitar"))

    posted = [urlsplit(request.url).path for request in sent if request.method == "POST"]
    assert posted[0] == "/keywords"
    assert sorted(posted[1:]) == ["/search/captions", "/search/images"]


def test_pictures_of_every_word_come_first(page: Page) -> None:
    """The vector is that of the first word alone."""
    ask(page, said("dog", "guitar", "rocket"))
    first = page.locator("#images .name").all_inner_texts()[:3]

    assert first[0] == "dog"
    assert set(first) == {"dog", "guitar", "rocket"}


def test_a_word_searches_on_and_its_time_is_gone_with_the_sound(page: Page) -> None:
    ask(page, said("dog", "guitar"))

    chips(page).filter(has_text="guitar").click()

    expect(page.locator("#query-content strong")).to_have_text("guitar")
    expect(page.get_by_role("list", name=LIST)).to_be_hidden()
    expect(page.locator("#images .name").first).to_have_text("guitar")


def test_a_picture_has_no_words_in_it(page: Page) -> None:
    ask(page, drawn("cat"), "image/png")

    expect(page.get_by_role("list", name=LIST)).to_be_hidden()
    expect(page.locator("#keywords .name").first).to_have_text("cat")


def test_without_keywords_to_search_the_rest_is_found(page: Page) -> None:
    problem = {"status": 503, "code": "collection_damaged", "detail": "the records are damaged"}
    page.route("**/keywords?*", lambda route: route.fulfill(status=503, json=problem))

    ask(page, spoken("dog"))

    expect(page.locator(".panel.keywords .note")).to_contain_text("damaged")
    expect(page.locator("#images .name").first).to_have_text("dog")


def test_a_word_points_at_its_place_and_at_the_nearest_picture(page: Page) -> None:
    ask(page, said("dog", "guitar"))

    chips(page).filter(has_text="guitar").hover()

    expect(page.locator(".marks i.shown")).to_have_count(1)
    expect(page.locator("#images .near .name")).to_have_text("guitar")
    page.mouse.move(0, 0)
    expect(page.locator("#images .near")).to_have_count(0)
    expect(page.locator(".marks i.shown")).to_have_count(0)


def test_a_word_is_played_alone(page: Page) -> None:
    ask(page, said("dog", "guitar", "cat", "apple"))
    page.evaluate(
        """() => {
            window.heard = [];
            const play = HTMLMediaElement.prototype.play;
            HTMLMediaElement.prototype.play = function () {
                const began = this.currentTime;
                this.addEventListener("pause", () => {
                    heard.push([began, this.currentTime]);
                    document.body.dataset.heard = heard.length;
                }, { once: true });
                return play.call(this);
            };
        }"""
    )

    assert any(ends_with_the_word(page, number) for number in range(10))  # a page that was held up looks too late


def ends_with_the_word(page: Page, number: int) -> bool:
    """Whether the playing that has that number stops after the word; it begins with it in any case."""
    page.get_by_role("button", name="Play: guitar").click()
    expect(page.locator("body")).to_have_attribute("data-heard", str(number + 1))
    began, ended = page.evaluate(f"heard[{number}]")
    assert began == pytest.approx(0.5, abs=0.05)
    return bool(ended == pytest.approx(1.0, abs=0.3))
