"""Pictures of the page for the README: `python -m scripts.pictures --sentence FILE [--recording FILE] [--folder docs]`.

A real service with the shipped model, a real browser, and somebody who speaks into its microphone: every view as a PNG
of few colours, and `page.webp`, which moves, while results do.
"""

from __future__ import annotations

import argparse
import base64
import io
import tempfile
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from tests.browser import microphone_file, open_browser, running_service

ROOT = Path(__file__).resolve().parents[1]
WINDOW = ViewportSize(width=1180, height=860)
SMALL = ViewportSize(width=1100, height=640)
LAST_MS = 2500
"""How long the end is looked at before it begins anew."""
SHORTEST_S = 0.08
"""A frame stands for at least so long."""
QUALITY = 55
COLOURS = 255
MOST_BYTES = 400_000


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recording", type=Path, default=ROOT / "examples" / "camel.wav", help="what is said")
    parser.add_argument("--folder", type=Path, default=ROOT / "docs", help="where the pictures go")
    parser.add_argument("--sentence", type=Path, required=True, help="several words, whose places in time are shown")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work, sync_playwright() as playwright:
        says = microphone_file(given.recording.read_bytes(), Path(work) / "microphone.wav")
        with running_service(Path(work) / "data") as url, open_browser(playwright, says) as browser:
            still(heard(opened(browser, url, WINDOW), given.sentence), given.folder / "page-keywords.png")
            film(opened(browser, url, SMALL), given.folder / "page.webp")
            for name, take in VIEWS.items():
                page = opened(browser, f"{url}/{name}", WINDOW)
                take(page)
                still(page, given.folder / f"page-{name.strip('#').partition('/')[0]}.png")


def opened(browser: Browser, address: str, size: ViewportSize) -> Page:
    """A page that is ready."""
    page = browser.new_context(viewport=size).new_page()
    page.goto(address)
    expect(page.locator("#service")).to_have_attribute("data-state", "ready")
    return page


def heard(page: Page, recording: Path) -> Page:
    """Somebody chose a recording, and sees which words were heard when."""
    page.set_input_files("#file", recording)
    expect(page.locator("#heard li")).not_to_have_count(0, timeout=20_000)
    page.wait_for_load_state("networkidle")
    return page


def explained(page: Page) -> None:
    """Somebody typed, and asks why a picture was found."""
    expect(page.locator("#images li")).not_to_have_count(0, timeout=20_000)
    page.locator("#images button").first.click()
    page.get_by_role("button", name="Why this?").click()
    expect(page.locator("#why")).to_be_visible()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1500)


def filtered(page: Page) -> None:
    """Somebody looks for some of the drawings."""
    page.get_by_role("button", name="Add a condition").click()
    page.get_by_label("Field", exact=True).fill("metadata.keywords")
    page.get_by_label("Condition", exact=True).select_option("contains")
    page.get_by_label("Value", exact=True).fill("animal")
    page.get_by_role("button", name="Find", exact=True).click()
    expect(page.get_by_text("the nearest first")).to_be_visible()
    page.get_by_role("heading", name="Find items").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('form.stack').closest('section').scrollIntoView()")


def asked_about(page: Page) -> None:
    """Queries come in while somebody looks at the figures."""
    expect(page.get_by_role("table").first).to_be_visible()
    for words in ("dog", "red apple", "rocket", "guitar"):
        page.request.post(page.url.partition("#")[0] + "search/images", data={"text": words})
        page.wait_for_timeout(3000)


def read(page: Page) -> None:
    """Somebody reads what the model's makers wrote."""
    expect(page.get_by_role("heading", name="Measured")).to_be_visible()


VIEWS: dict[str, Callable[[Page], None]] = {
    "#search/red%20apple": explained,
    "#collections/images": filtered,
    "#model": read,
    "#status": asked_about,
}


def still(page: Page, path: Path) -> None:
    """One picture, of few colours, so that it is small."""
    page.wait_for_load_state("load")
    page.mouse.move(0, 0)
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def film(page: Page, path: Path) -> None:
    """From the press of the button until all is found, as fast as it really went."""
    frames: list[tuple[float, Image.Image]] = []
    session = page.context.new_cdp_session(page)

    def keep(event: dict[str, Any]) -> None:
        image = Image.open(io.BytesIO(base64.b64decode(event["data"]))).convert("RGB")
        frames.append((event["metadata"]["timestamp"], image))
        session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    session.on("Page.screencastFrame", keep)
    session.send("Page.startScreencast", {"format": "png"})
    page.wait_for_timeout(300)
    page.get_by_role("button", name="Speak").click()
    expect(page.locator("#status")).to_contain_text("Nearest", timeout=30_000)
    page.wait_for_timeout(500)
    session.send("Page.stopScreencast")
    animate(frames, path)


def animate(frames: Sequence[tuple[float, Image.Image]], path: Path) -> None:
    """Frames with their times in seconds as one picture; those that come too soon after another are left out."""
    chosen = [frames[0]]
    for frame in frames[1:]:
        if frame[0] - chosen[-1][0] >= SHORTEST_S:
            chosen.append(frame)
    chosen.append(frames[-1])
    lengths = [round((after - before) * 1000) for (before, _), (after, _) in pairwise(chosen)]
    first, *rest = [image for _, image in chosen]
    durations = [*lengths, LAST_MS]
    first.save(path, save_all=True, append_images=rest, duration=durations, loop=0, quality=QUALITY, method=6)
    if path.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{path} has {path.stat().st_size:,} bytes, more than {MOST_BYTES:,}")


if __name__ == "__main__":
    main()
