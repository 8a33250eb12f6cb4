"""Going from view to view, what the model is, and how the service is doing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from app.access.keys import KeyRule, digest
from app.main import create_app
from app.settings import Settings
from tests.app.conftest import make_store
from tests.app.page.conftest import Visit
from tests.browser import serving
from tests.fake_encoder import FakeEncoder
from tests.patience import WAIT_MS

pytestmark = pytest.mark.slow

VIEWS = {"Search": "Say what you are looking for", "Collections": "Collections", "Model": "Model", "Status": "Status"}
KEYED = """
    [...document.querySelectorAll('*')].filter((element) => (
        !element.matches('[data-text], noscript, noscript *, script, style, title') && [...element.childNodes].some(
            (node) => node.nodeType === Node.TEXT_NODE && /[a-z]/i.test(node.data)))).map((one) => one.outerHTML)
"""


def go(page: Page, view: str) -> None:
    page.get_by_role("navigation", name="Views").get_by_role("link", name=view).click()


def test_a_view_is_shown_named_and_focused(visit: Visit) -> None:
    page = visit()
    for view in ("Collections", "Model", "Status", "Search"):
        go(page, view)

        heading = page.get_by_role("heading", level=1)
        expect(heading).to_have_text(VIEWS[view])
        expect(heading).to_be_focused()
        expect(page).to_have_title("Spoken search" if view == "Search" else f"{view} – Spoken search")
        current = page.get_by_role("navigation").locator("[aria-current=page]")
        expect(current).to_have_text(view)

    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Status")


def test_an_address_leads_to_its_view_and_an_unknown_one_to_the_search(visit: Visit) -> None:
    expect(visit("collections/odd").get_by_role("heading", name="odd", exact=True)).to_be_visible()
    expect(visit("nothing/%ff").get_by_role("heading", level=1)).to_have_text(VIEWS["Search"])


def test_a_view_is_made_once_however_slow_its_files_are(visit: Visit) -> None:
    page = visit()
    held: list[Route] = []
    page.route("**/collections/collections.js", lambda route: held.append(route))
    with page.expect_request("**/collections/collections.js"):
        go(page, "Collections")
    for view in ("Search", "Collections"):
        go(page, view)
    held[0].continue_()

    expect(page.get_by_role("heading", name="A new collection")).to_have_count(1)


def test_a_view_whose_files_do_not_come_says_so(visit: Visit) -> None:
    page = visit()
    broken = "export const nothing = 1;"  # what is not there would be told in the console, as it should
    page.route("**/page/model.js", lambda route: route.fulfill(body=broken, content_type="text/javascript"))
    go(page, "Model")
    expect(page.locator("#view-model").get_by_role("alert")).to_be_visible()

    page.unroute("**/page/model.js")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="Measured")).to_be_visible()


def test_the_keyboard_alone_leads_through_the_views(visit: Visit) -> None:
    page = visit()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Collections")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.locator(".card")).not_to_have_count(0)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="captions", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="captions", exact=True)).to_be_visible()


def test_space_does_not_listen_where_nobody_searches(visit: Visit) -> None:
    page = visit("model")
    page.keyboard.press(" ")
    page.wait_for_timeout(200)
    go(page, "Search")
    expect(page.locator(".voice")).to_have_attribute("data-phase", "idle")


def test_every_word_of_the_document_is_in_the_file_of_words(visit: Visit, address: str) -> None:
    """Filled in from there, or there would be words that a translation misses."""
    page = visit()
    document = page.request.get(address).text()
    before = re.findall(r'data-text="([\w.]+)"[^>]*>([^<]*)<', document)
    assert len(before) >= 40
    words = page.evaluate("import('./page/strings.js').then((module) => module.TEXTS)")
    assert [(key, text) for key, text in before if words[key] != text] == []
    attributes = re.findall(r'(?:aria-label|placeholder)="([^"]*)" data-text-[a-z-]+="([^"]*)"', document)
    assert [(text, key) for text, key in attributes if words[key] != text] == []
    page.set_content(re.sub(r"<script.*?</script>", "", document))
    assert page.evaluate(KEYED) == []


def test_the_model_tells_what_its_makers_wrote(visit: Visit) -> None:
    page = visit("model")

    expect(page.locator(".facts")).to_contain_text("parallel: an utterance as a whole")
    expect(page.locator(".facts")).to_contain_text("30 s")
    expect(page.get_by_role("heading", name="Measured")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="names of animals by another person")
    assert re.fullmatch(r"[\d.]+", row.get_by_role("cell").nth(3).inner_text())
    expect(page.locator(".card-text code").first).to_have_text("python -m training evaluate")


def test_the_model_tells_in_which_numbers_it_computes(visit: Visit) -> None:
    page = visit("model")

    expect(page.locator("#view-model dl")).to_contain_text(re.compile(r"Numbers it computes in\s*fp32"))


def test_a_card_never_becomes_markup(visit: Visit) -> None:
    page = visit()
    card = "# <b>x</b>\n\n[a](javascript:alert`1`) [b](https://example.org) `<i>` \\*no\\*\n\n- one\n  more\n- **two**"
    page.route("**/model/card", lambda route: route.fulfill(body=card, content_type="text/markdown"))
    go(page, "Model")

    expect(page.get_by_role("heading", name="<b>x</b>")).to_be_visible()
    assert page.locator(".card-text a").evaluate_all("all => all.map((one) => one.href)") == ["https://example.org/"]
    expect(page.locator(".card-text p")).to_have_text("a b <i> *no*")
    assert page.locator(".card-text li").all_inner_texts() == ["one more", "two"]


def test_the_status_shows_a_query_that_was_made(visit: Visit, address: str) -> None:
    page = visit("status")
    searching = page.get_by_role("row").filter(has_text="Searching")
    expect(searching).to_be_visible()

    answer = page.request.post(f"{address}/search/images", data={"text": "dog"})

    assert answer.ok
    expect(searching.get_by_role("cell").nth(1)).to_have_text("1")
    expect(searching.get_by_role("cell").nth(3)).to_contain_text("ms")
    expect(page.get_by_role("img", name=re.compile("Answers in a second over time"))).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="odd")).to_contain_text("11")


def test_the_status_can_be_held(visit: Visit) -> None:
    page = visit("status")
    expect(page.get_by_role("table").first).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.install(time=0)

    page.clock.pause_at(60_000)
    assert asked == []
    with page.expect_event("requestfinished"):
        page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.clock.run_for(1000)
    assert len(asked) == 1


def test_figures_are_those_of_the_buckets(visit: Visit) -> None:
    page = visit()
    counts = {0.1: 0, 0.2: 50, 0.4: 95, "+Inf": 100}
    source = "\n".join(f'speechclip_stage_seconds_bucket{{le="{le}",stage="total"}} {n}.0' for le, n in counts.items())
    found = page.evaluate(
        """async (source) => {
            const { Reading, between, grown, quantile } = await import("./page/status/prometheus.js");
            const reading = new Reading('# HELP x y\\nplain 3.5\\nodd{a="q\\\\"u\\\\\\\\",b="}"} 1e3\\n' + source, 0);
            const buckets = reading.buckets("speechclip_stage_seconds", { stage: "total" });
            return [
                reading.sum("plain"), reading.all("odd")[0], quantile(buckets, 0.5), quantile(buckets, 0.725),
                quantile(buckets, 0.99), quantile(between(buckets, buckets), 0.5), grown(5, 3), grown(2, 3),
            ];
        }""",
        source,
    )
    assert found[0] == 3.5
    assert found[1] == {"name": "odd", "labels": {"a": 'q"u\\', "b": "}"}, "value": 1000}
    assert found[2:] == [pytest.approx(0.2), pytest.approx(0.3), pytest.approx(0.4), None, 2, 2]


def test_numbers_of_operators_are_not_shown_to_others(visit: Visit) -> None:
    page = visit()
    problem = {"status": 404, "code": "not_found", "detail": "no such path"}

    def refuse(route: Route) -> None:
        route.fulfill(status=404, json=problem)

    page.route("**/metrics", refuse)
    page.route("**/snapshots", refuse)
    go(page, "Status")
    expect(page.get_by_text("The numbers are for those who run the service")).to_be_visible()
    go(page, "Collections")
    expect(page.get_by_text("Snapshots are for those who run the service")).to_be_visible()


def test_a_key_that_is_not_for_this_can_be_changed(browser: Browser, tmp_path: Path, media_root: Path) -> None:
    encoder = FakeEncoder()
    make_store(tmp_path / "collections", encoder, media_root)
    keys = {
        "reader": KeyRule(sha256=digest("scs_reader"), scopes=frozenset({"search"})),
        "writer": KeyRule(sha256=digest("scs_writer"), scopes=frozenset({"search", "write"})),
    }
    context = browser.new_context()
    context.set_default_timeout(WAIT_MS)
    with serving(create_app(Settings(data=tmp_path, api_keys=keys), encoder)) as url:
        page = context.new_page()
        page.goto(f"{url}/#collections")
        give(page, "scs_reader")
        page.get_by_label("Name", exact=True).fill("mine")
        page.get_by_role("button", name="Create", exact=True).click()
        expect(page.get_by_role("alert").filter(has_text="Your key is not for this.")).to_be_visible()

        page.get_by_role("button", name="Give another key").click()
        give(page, "scs_writer")

        expect(page.get_by_role("heading", name="mine", exact=True)).to_be_visible()
        context.close()


def give(page: Page, key: str) -> None:
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("dialog", name="This service asks for a key")).to_be_hidden()
