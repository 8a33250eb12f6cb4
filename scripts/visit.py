"""What a first visit costs: `python -m scripts.visit [--url URL]`; bytes over the wire, with their headers.

A browser without a cache opens each place of a running service: as every browser does, and taking nothing compressed.
"""

from __future__ import annotations

import argparse
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, sync_playwright

from tests.browser import open_browser

PLACES = ("", "#collections", "#model", "#status", "docs")
OWN = ("/page", "/docs", "/openapi.json")


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="a service that is ready")
    url = parser.parse_args().url
    print("| place | files | bytes, not compressed | bytes, compressed | of them |\n|---|---|---|---|---|")
    with sync_playwright() as playwright, open_browser(playwright, says=None) as browser:
        for place in PLACES:
            plain, compressed = (visit(browser, f"{url}/{place}", coding) for coding in ("identity", "gzip"))
            share = sum(compressed) / sum(plain)
            print(f"| `/{place}` | {len(plain)} | {sum(plain):,} | {sum(compressed):,} | {100 * share:.0f} % |")


def visit(browser: Browser, address: str, coding: str) -> list[int]:
    """The bytes of every file of the page that comes; not of the service's answers, which are never compressed."""
    context = browser.new_context(extra_http_headers={"Accept-Encoding": coding})
    page = context.new_page()
    wire = context.new_cdp_session(page)
    wire.send("Network.enable")
    paths, sizes = dict[str, str](), dict[str, int]()

    def finished(event: dict[str, Any]) -> None:
        path = paths.get(event["requestId"], "")
        if path == "/" or path.startswith(OWN):
            sizes[event["requestId"]] = round(event["encodedDataLength"])

    wire.on("Network.responseReceived", lambda e: paths.update({e["requestId"]: urlsplit(e["response"]["url"]).path}))
    wire.on("Network.loadingFinished", finished)
    page.goto(address, wait_until="networkidle")
    page.wait_for_timeout(500)
    context.close()
    return list(sizes.values())


if __name__ == "__main__":
    main()
