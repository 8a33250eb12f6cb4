"""The view of collections: made, filled, searched through, kept and deleted by somebody who has a browser."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Locator, Page, Route, expect

from tests.app.page.conftest import Visit
from tests.browser import watch_for
from tests.fake_encoder import WORDS, drawn, spoken

pytestmark = pytest.mark.slow

File = tuple[str, str, bytes]

PICTURES: list[File] = [(f"{word}.png", "image/png", drawn(word)) for word in WORDS]
BAD: File = ("bad.png", "image/png", b"no picture")


def make(page: Page, name: str, kind: str = "images") -> None:
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Kind", exact=True).select_option(kind)
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()


def choose(page: Page, files: Sequence[File]) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose files").click()
    chooser.value.set_files([FilePayload(name=name, mimeType=kind, buffer=content) for name, kind, content in files])


def drop(page: Page, files: Sequence[File]) -> None:
    page.evaluate(
        """(files) => {
            const dataTransfer = new DataTransfer();
            for (const [name, type, data] of files) {
                const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
                dataTransfer.items.add(new File([bytes], name, { type }));
            }
            for (const event of ["dragover", "drop"]) {
                document.body.dispatchEvent(new DragEvent(event, { dataTransfer, bubbles: true, cancelable: true }));
            }
        }""",
        [(name, kind, base64.b64encode(content).decode()) for name, kind, content in files],
    )


def upload_status(page: Page) -> Locator:
    return page.get_by_role("status").filter(has_text="stored")


def names(page: Page) -> list[str]:
    return page.locator(".items .name").all_inner_texts()


def told(page: Page, term: str) -> Locator:
    """What stands beside a term."""
    return page.locator(".facts div").filter(has=page.get_by_text(term, exact=True)).locator("dd")


def sure(page: Page, action: str) -> None:
    page.get_by_role("dialog").get_by_role("button", name=action, exact=True).click()


def test_every_collection_is_listed_with_what_it_is(visit: Visit) -> None:
    page = visit("collections")

    card = page.locator(".card", has=page.get_by_role("link", name="images", exact=True))
    expect(card).to_contain_text("compares every item")
    expect(card).to_contain_text("100%")
    for term, value in (("Kind", "images"), ("Items", "5"), ("Version", "1")):
        expect(card.locator("div", has_text=term).last).to_contain_text(value)


def test_its_size_on_disk_is_told(visit: Visit) -> None:
    page = visit("collections/captions")

    expect(page.locator("#view-collections .facts")).to_contain_text(re.compile(r"Size\s*\d+ kB"))


def test_a_collection_is_made_filled_by_choice_and_by_dropping_and_deleted(visit: Visit) -> None:
    page = visit("collections")
    make(page, "shoes")

    choose(page, PICTURES[:2])
    expect(upload_status(page)).to_have_text("2 items are stored.")
    drop(page, PICTURES[2:])
    expect(upload_status(page)).to_have_text("3 items are stored.")

    expect(page.locator(".items li")).to_have_count(5)
    assert sorted(names(page)) == sorted(WORDS)
    expect(told(page, "Items")).to_have_text("5")
    expect(told(page, "Kept files")).to_have_text(f"{sum(len(content) for _, _, content in PICTURES)} B")
    first = page.locator(".items img").first
    assert first.evaluate("image => image.decode().then(() => image.naturalWidth)") == 8

    page.get_by_role("button", name="Delete the collection").click()
    sure(page, "Delete")
    expect(page.get_by_role("heading", name="A new collection")).to_be_visible()
    expect(page.get_by_role("link", name="shoes", exact=True)).to_have_count(0)


def test_what_cannot_be_stored_is_named_and_the_rest_is_stored(visit: Visit) -> None:
    page = visit("collections")
    make(page, "some")

    choose(page, [*PICTURES[:2], BAD, *PICTURES[2:]])

    expect(upload_status(page)).to_have_text("5 items are stored. 1 could not be stored.")
    expect(page.locator(".failures li")).to_have_count(1)
    expect(page.locator(".failures")).to_contain_text("bad.png")
    expect(page.locator(".items li")).to_have_count(5)
    page.get_by_role("button", name="Try those again").click()
    expect(upload_status(page)).to_have_text("0 items are stored. 1 could not be stored.")


def test_a_busy_service_is_waited_for(visit: Visit) -> None:
    page = visit("collections")
    make(page, "patient")
    refused: list[str] = []

    def refuse_once(route: Route) -> None:
        if route.request.method != "POST" or refused:
            return route.fallback()
        refused.append(route.request.url)
        problem = {"status": 429, "code": "overloaded", "detail": "too much"}
        return route.fulfill(status=429, json=problem, headers={"Retry-After": "1"})

    page.route("**/items", refuse_once)
    statuses = "[...document.querySelectorAll('[role=status]')]"
    waits = watch_for(page, f"{statuses}.some((one) => one.textContent.includes('Going on in 1 s'))")
    choose(page, PICTURES)

    waits()
    expect(upload_status(page)).to_have_text("5 items are stored.")
    assert len(refused) == 1


def test_many_files_are_sent_a_few_at_a_time(visit: Visit) -> None:
    page = visit("collections")
    make(page, "many")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)

    choose(page, [(f"{number}.png", "image/png", drawn("dog", size=(8 + number, 8))) for number in range(20)])

    expect(upload_status(page)).to_have_text("20 items are stored.")
    assert len(sent) == 3  # of 8, 8 and 4


def test_what_is_added_while_others_are_on_their_way_is_sent_after_them(visit: Visit) -> None:
    page = visit("collections")
    make(page, "queue", "keywords")
    held: list[Route] = []
    page.route("**/items", lambda route: route.fallback() if held else held.append(route))
    for lines in ("dog", "cat\napple"):
        page.get_by_label("Texts, one on each line").fill(lines)
        with page.expect_request("**/items") if not held else nullcontext():
            page.get_by_role("button", name="Add", exact=True).click()
    held[0].continue_()

    expect(upload_status(page)).to_have_text("3 items are stored.")
    expect(page.locator(".items li")).to_have_count(3)


def test_texts_and_sounds_have_their_own_ways_in(visit: Visit) -> None:
    page = visit("collections")
    make(page, "words", "keywords")
    page.get_by_label("Texts, one on each line").fill("dog\n\n  cat  \n")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(upload_status(page)).to_have_text("2 items are stored.")
    expect(page.locator(".items li")).to_have_count(2)
    assert sorted(names(page)) == ["cat", "dog"]

    page.get_by_role("link", name="All collections").click()
    make(page, "sounds", "audio")
    choose(page, [("dog.wav", "audio/wav", spoken("dog"))])
    expect(upload_status(page)).to_have_text("1 item is stored.")
    expect(page.get_by_role("button", name="Play: dog")).to_be_visible()


def test_an_item_is_deleted_and_the_keyboard_stays_where_it_was(visit: Visit) -> None:
    page = visit("collections")
    make(page, "few")
    choose(page, PICTURES[:2])
    expect(page.locator(".items li")).to_have_count(2)

    page.get_by_role("button", name="Delete dog").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Delete dog?")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".items li")).to_have_count(2)
    page.keyboard.press("Enter")
    sure(page, "Delete")

    expect(page.locator(".items li")).to_have_count(1)
    expect(page.get_by_role("button", name="Delete cat")).to_be_focused()
    expect(page.locator(".facts div").filter(has_text="Items")).to_contain_text("1")


def test_pages_follow_each_other(visit: Visit) -> None:
    page = visit("collections")
    make(page, "long", "captions")
    page.get_by_label("Texts, one on each line").fill("\n".join(f"text {number}" for number in range(70)))
    page.get_by_role("button", name="Add", exact=True).click()
    expect(upload_status(page)).to_have_text("70 items are stored.")
    expect(page.locator(".items li")).to_have_count(60)

    page.get_by_role("button", name="Show more").click()

    expect(page.locator(".items li")).to_have_count(70)
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()
    assert len(set(names(page))) == 70

    page.get_by_label("Like these words").fill("text 7")
    page.get_by_role("button", name="Find", exact=True).click()
    expect(page.get_by_text("60 items are shown, the nearest first")).to_be_visible()
    expect(page.locator(".items .name").first).to_have_text("text 7")
    page.get_by_role("button", name="Show more").click()
    expect(page.get_by_text("70 items are shown, the nearest first")).to_be_visible()
    expect(page.locator(".items li")).to_have_count(70)
    assert len(set(names(page))) == 70


def test_a_filter_is_built_row_by_row_and_shown_as_it_is_sent(visit: Visit) -> None:
    page = visit("collections/images")
    expect(page.locator(".items li")).to_have_count(5)
    condition(page, 0, "metadata.length", "is at least", "5")
    expect(page.locator(".json")).to_have_text('{ "metadata.length": { "gte": 5 } }', use_inner_text=True)
    page.get_by_role("button", name="Find", exact=True).click()
    expect(page.get_by_text("3 items are shown, the nearest first")).to_be_visible()
    expect(page.locator(".items li")).to_have_count(3)
    assert sorted(names(page)) == ["apple", "guitar", "rocket"]

    condition(page, 1, "caption", "is one of (with commas)", "rocket, dog")
    page.get_by_label("Like these words").fill("rocket")
    page.get_by_label("Conditions that hold").select_option("at least one")
    page.get_by_role("button", name="Find", exact=True).click()

    shown: Any = json.loads(page.locator(".json").inner_text())
    assert shown == {"or": [{"metadata.length": {"gte": 5}}, {"caption": {"in": ["rocket", "dog"]}}]}
    expect(page.get_by_text("4 items are shown, the nearest first")).to_be_visible()
    expect(page.locator(".items .name").first).to_have_text("rocket")

    page.get_by_role("button", name="Show everything").click()
    expect(page.get_by_text("5 of 5, by their ids")).to_be_visible()


def condition(page: Page, row: int, field: str, operator: str, value: str) -> None:
    page.get_by_role("button", name="Add a condition").click()
    page.get_by_label("Field", exact=True).nth(row).fill(field)
    page.get_by_label("Condition", exact=True).nth(row).select_option(operator)
    page.get_by_label("Value", exact=True).nth(row).fill(value)


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("30", 30),
        ("-1.5e3", -1500),
        ("true", True),
        ("null", None),
        ('"30"', "30"),
        ("3 feet", "3 feet"),
        ("<b>", "<b>"),
    ],
)
def test_a_value_is_taken_for_what_it_looks_like(typed: str, value: object, visit: Visit) -> None:
    page = visit("collections/images")

    condition(page, 0, "id", "is", typed)

    assert json.loads(page.locator(".json").inner_text()) == {"id": {"eq": value}}


def test_a_snapshot_is_made_fetched_restored_and_deleted(visit: Visit) -> None:
    page = visit("collections")
    make(page, "kept")
    choose(page, PICTURES[:2])
    expect(upload_status(page)).to_have_text("2 items are stored.")

    page.get_by_role("button", name="Make a snapshot").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download kept-").click()
    assert download.value.suggested_filename.startswith("kept-")
    assert download.value.path().stat().st_size > 1000

    page.get_by_role("link", name="All collections").click()
    page.locator("li", has_text="kept-").get_by_role("button", name="Restore").click()
    page.get_by_role("dialog").get_by_label("Name", exact=True).fill("kept-again")
    sure(page, "Restore")
    expect(page.get_by_role("heading", name="kept-again", exact=True)).to_be_visible()
    expect(page.locator(".items li")).to_have_count(2)

    page.get_by_role("link", name="All collections").click()
    page.locator("li", has_text="kept-2").get_by_role("button", name="Delete").click()
    sure(page, "Delete")
    expect(page.get_by_text("There are none yet.")).to_be_visible()


def test_what_the_service_refuses_is_said(visit: Visit) -> None:
    page = visit("collections/nowhere")
    expect(page.get_by_role("alert")).to_contain_text("There is nothing to search in here yet.")

    page.goto(page.url.replace("nowhere", "captions"))
    expect(page.locator(".items li")).to_have_count(5)
    page.get_by_role("link", name="All collections").click()
    page.get_by_label("Name", exact=True).fill("captions")
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("There is another collection of that name.")


def test_names_are_never_markup(visit: Visit) -> None:
    page = visit("collections")
    make(page, "hostile", "captions")
    attack = "<img src=x onerror=\"document.title='owned'\">"
    page.get_by_label("Texts, one on each line").fill(attack)
    page.get_by_role("button", name="Add", exact=True).click()

    expect(page.locator(".items .name")).to_have_text(attack)
    expect(page).not_to_have_title("owned")
