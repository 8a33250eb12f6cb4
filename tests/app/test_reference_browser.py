"""`/docs` in a real browser: drawn wholly from this service, within its own policy."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import uvicorn
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, Page, expect

from app.errors import PROBLEMS
from tests.browser import Watch
from tests.patience import WAIT_MS, WAIT_S, wait_until


@pytest.fixture(scope="module")
def address(client: TestClient) -> Iterator[str]:
    """The application of the other tests, on a socket."""
    server = uvicorn.Server(uvicorn.Config(client.app, port=0, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(WAIT_S)


@pytest.fixture(scope="module")
def page(browser: Browser, address: str) -> Iterator[Page]:
    watch, page = Watch(address), browser.new_page()
    page.set_default_timeout(WAIT_MS)
    watch.attach(page)
    page.goto(f"{address}/docs#audio_too_long")
    page.wait_for_selector("section.card")
    yield page
    assert (watch.errors, watch.foreign) == ([], [])


def test_every_operation_is_there(page: Page, client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]

    drawn = set(page.locator("section.card h3").all_inner_texts())
    assert {f"{method.upper()}{path}" for path, item in paths.items() for method in item} <= {
        heading.replace(" ", "") for heading in drawn
    }


def test_the_type_of_a_problem_leads_to_its_explanation(page: Page) -> None:
    for code in {kind.code for kind in PROBLEMS.values()}:
        assert page.locator(f"#{code}").count() == 1
    expect(page.locator("#audio_too_long")).to_be_in_viewport()
