"""Snapshots in a browser: made, taken home, brought back, restored, also in the place of a collection."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FilePayload, Locator, Page, Route, expect

from app.access.keys import KeyRule, digest
from app.main import create_app
from app.settings import Settings
from index.records import Record
from index.store import Store
from tests.app.page.conftest import Visit
from tests.app.page.test_collections import sure
from tests.browser import serving
from tests.fake_encoder import WORDS, FakeEncoder

pytestmark = pytest.mark.slow

Spoil = Callable[[bytes], bytes]

ENCODER = FakeEncoder()
OPERATOR, READER = "scs_of-an-operator", "scs_of-a-reader"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A snapshot of five captions, as somebody has it at home."""
    return snapshot(tmp_path_factory.mktemp("home"), "brought", ENCODER.fingerprint)


def snapshot(root: Path, name: str, fingerprint: str) -> bytes:
    with Store(root).create(name, "captions", ENCODER.dim, fingerprint) as collection:
        records = [Record(word, caption=word) for word in WORDS]
        collection.add(records, np.stack([ENCODER.vector(word) for word in WORDS]))
        return collection.snapshot(root / "home.snapshot").path.read_bytes()


def send(page: Page, content: bytes, name: str = "home.snapshot") -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Send a snapshot file").click()
    chooser.value.set_files(FilePayload(name=name, mimeType="", buffer=content))


def section(page: Page) -> Locator:
    return page.locator("section", has=page.get_by_role("heading", name="Snapshots", exact=True))


def forget(page: Page) -> None:
    """All snapshots, in the way of a program."""
    origin = page.url.partition("#")[0]
    for one in page.request.get(f"{origin}snapshots").json()["snapshots"]:
        page.request.delete(f"{origin}snapshots/{one['name']}")


def test_a_snapshot_file_is_sent_and_restored_with_the_keyboard_alone(visit: Visit, kept: bytes) -> None:
    page = visit("collections")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Send a snapshot file").focus()
        page.keyboard.press("Enter")
    chooser.value.set_files(FilePayload(name="home.snapshot", mimeType="", buffer=kept))

    dialog = page.get_by_role("dialog", name=re.compile("Make a collection of brought-sent-"))
    expect(dialog).to_be_visible()
    expect(dialog.get_by_label("Name", exact=True)).to_be_focused()
    expect(dialog.get_by_label("Name", exact=True)).to_have_value("brought")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("brought-along")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="brought-along", exact=True)).to_be_visible()
    expect(page.locator(".items li")).to_have_count(len(WORDS))
    forget(page)


def test_how_far_it_has_come_is_told_and_it_can_be_stopped(visit: Visit, kept: bytes) -> None:
    page = visit("collections")
    held: list[Route] = []
    page.route("**/snapshots", lambda route: held.append(route) if route.request.method == "POST" else route.fallback())

    send(page, kept)

    status = section(page).get_by_role("status")
    # How much the browser has sent, it tells while nobody answers.
    expect(status).to_contain_text(re.compile(r"Sending home\.snapshot, \d+ kB…|All of it is sent"))
    expect(page.get_by_role("progressbar", name="How much of it is sent")).to_be_visible()
    cancel = section(page).get_by_role("button", name="Cancel")
    expect(cancel).to_be_focused()
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []
    cancel.press("Enter")
    expect(status).to_have_text("Stopped. Nothing of it is kept.")
    expect(section(page).get_by_role("button", name="Send a snapshot file")).to_be_focused()
    expect(section(page).get_by_role("alert")).to_be_hidden()
    for route in held:
        route.abort()


def test_a_name_that_is_taken_is_only_replaced_when_somebody_is_sure(visit: Visit, kept: bytes) -> None:
    page = visit("collections")
    origin = page.url.partition("#")[0]
    page.request.put(f"{origin}collections/taken", data={"kind": "captions"})
    send(page, kept)
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("dialog").get_by_label("Name", exact=True).fill("taken")
    sure(page, "Restore")

    asked = page.get_by_role("dialog", name="There is a collection taken.")
    expect(asked).to_be_visible()
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []
    page.keyboard.press("Escape")
    alert = section(page).get_by_role("alert")
    expect(alert).to_contain_text("There is another collection of that name.")
    assert page.request.get(f"{origin}collections/taken").json()["count"] == 0

    alert.get_by_role("button", name="Try again").click()
    page.get_by_role("dialog").get_by_label("Name", exact=True).fill("taken")
    sure(page, "Restore")
    expect(asked).to_be_visible()
    sure(page, "Replace")
    expect(page.get_by_role("heading", name="taken", exact=True)).to_be_visible()
    expect(page.locator(".items li")).to_have_count(len(WORDS))
    forget(page)


@pytest.mark.parametrize("spoil", [lambda kept: kept[:-1], lambda kept: b"?" + kept[1:], lambda kept: b"a picture"])
def test_a_damaged_file_is_told_and_nothing_of_it_is_kept(visit: Visit, kept: bytes, spoil: Spoil) -> None:
    page = visit("collections")

    send(page, spoil(kept))

    alert = section(page).get_by_role("alert")
    expect(alert).to_contain_text("This file is no snapshot, or it is damaged.")
    expect(alert.get_by_role("button", name="Try again")).to_be_visible()
    expect(section(page).get_by_role("button", name="Send a snapshot file")).to_be_focused()
    expect(section(page).get_by_role("status")).to_have_text("")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.request.get(f"{page.url.partition('#')[0]}snapshots").json() == {"snapshots": []}


def test_one_of_another_model_is_told(visit: Visit, tmp_path: Path) -> None:
    page = visit("collections")
    send(page, snapshot(tmp_path, "other", "f" * 64))
    expect(page.get_by_role("dialog")).to_be_visible()
    sure(page, "Restore")

    expect(section(page).get_by_role("alert")).to_contain_text("made with another model")
    forget(page)


def test_one_that_is_too_large_is_not_sent(visit: Visit, kept: bytes) -> None:
    page = visit()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)

    def small(route: Route) -> None:
        answer = route.fetch()
        told = answer.json()
        told["limits"]["max_snapshot_bytes"] = 1000
        route.fulfill(response=answer, json=told)

    page.route("**/info", small)
    page.reload()
    expect(page.locator("#service-text")).to_have_text("Ready · fake")
    page.get_by_role("link", name="Collections").click()
    send(page, kept)

    expect(section(page).get_by_role("alert")).to_contain_text("This file is too big.")
    expect(section(page).get_by_role("alert")).to_contain_text("At most 1 kB.")
    assert sent == []


@pytest.fixture(scope="module")
def locked(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that asks for keys."""
    keys = {
        "operator": KeyRule(sha256=digest(OPERATOR), scopes=frozenset({"search", "write", "admin"})),
        "reader": KeyRule(sha256=digest(READER), scopes=frozenset({"search"})),
    }
    with serving(create_app(Settings(data=tmp_path_factory.mktemp("locked"), api_keys=keys), FakeEncoder())) as url:
        yield url


def entered(page: Page, url: str, key: str) -> None:
    page.goto(f"{url}/#collections")
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#service-text")).to_have_text("Ready · fake")


def test_an_operator_s_key_is_enough(browser: Browser, locked: str, kept: bytes) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        entered(page, locked, OPERATOR)
        send(page, kept)
        expect(page.get_by_role("dialog")).to_be_visible()
        sure(page, "Restore")
        expect(page.locator(".items li")).to_have_count(len(WORDS))


def test_who_may_only_search_is_told_so_and_offered_nothing(browser: Browser, locked: str) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        entered(page, locked, READER)
        expect(page.get_by_text("Snapshots are for those who run the service")).to_be_visible()
        expect(page.get_by_role("button", name="Send a snapshot file")).to_be_hidden()
