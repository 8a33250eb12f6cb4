"""A real browser in front of the real service, and what it may not do: log an error or ask anyone else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import uuid
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import numpy as np
import pytest
import soxr
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request, expect

from app.http.protocol import CONNECTIONS
from models.audio import decode
from tests.patience import WAIT_MS, WAIT_S, wait_until

ROOT = Path(__file__).resolve().parents[1]
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MICROPHONE_RATE = 48_000
LEAD_S, TAIL_S = 0.7, 8.0
LONGEST_S = 60.0
# What a browser says of itself about every answer that is an error; the page has shown it to the person already.
REFUSALS = ("Failed to load resource: the server responded with a status of ", "WebSocket connection to ")


def find_chromium() -> str:
    """Where Chromium is. Without one a test is skipped, but never in continuous integration."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        missing = f"no browser: none of {', '.join(NAMES)} is installed"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@contextmanager
def running_service(data: Path, model: str = "nano") -> Iterator[str]:
    """The service as a user starts it, on a free port; yields its address once it is ready."""
    log = data.with_suffix(".log")
    program = "from app.cli import main; main()"  # as the script `speechclip` does
    command = [sys.executable, "-c", program, "serve", "--port", "0", "--data", str(data), "--model", model]
    with log.open("wb") as out, subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT) as process:
        try:
            yield _address_when_ready(process, log)
        finally:
            process.terminate()
            try:
                process.wait(timeout=WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def serving(app: FastAPI, port: int | None = None) -> Iterator[str]:
    """An application of the test's own in a thread of this process; yields its address once it is ready."""
    server = uvicorn.Server(uvicorn.Config(app, port=port or 0, log_config=None, **CONNECTIONS))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive())
        address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        wait_until(lambda: _is_ready(address))
        yield address
    finally:
        server.should_exit = True
        thread.join(WAIT_S)


@contextmanager
def open_browser(playwright: Playwright, says: Path | None, allowed: bool = True) -> Iterator[Browser]:
    """Chromium whose microphone hears the file `says` (see `microphone_file`), and whose user allows it or does not."""
    flags = [*FLAGS, "--use-fake-device-for-media-stream"]
    flags.append("--use-fake-ui-for-media-stream" if allowed else "--deny-permission-prompts")
    if says is not None:
        flags.append(f"--use-file-for-fake-audio-capture={says}")
    browser = playwright.chromium.launch(executable_path=find_chromium(), args=flags, timeout=WAIT_MS)
    expect.set_options(timeout=WAIT_MS)
    try:
        yield browser
    finally:
        browser.close()


def microphone_file(recording: bytes, path: Path) -> Path:
    """The recording as the fake microphone takes it: 48 kHz, with silence around it, as the browser repeats it."""
    samples = soxr.resample(decode(recording, LONGEST_S).samples, 16_000, MICROPHONE_RATE, quality="HQ")
    lead, tail = (np.zeros(round(seconds * MICROPHONE_RATE), np.float32) for seconds in (LEAD_S, TAIL_S))
    pcm = (np.clip(np.concatenate([lead, samples, tail]), -1, 1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(MICROPHONE_RATE)
        out.writeframes(pcm.tobytes())
    return path


def synthetic_voice(text: str, path: Path) -> bytes:
    """The text, spoken by espeak-ng, as a wav file."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed: there is no synthetic voice to speak with")
    subprocess.run(["espeak-ng", "-v", "en-us", "-s", "150", "-w", str(path), text], check=True, timeout=WAIT_S)
    return path.read_bytes()


@dataclass
class Watch:
    """What a page did that it should not have done."""

    origin: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def attach(self, page: Page) -> None:
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(REFUSALS):
            self.errors.append(message.text)

    def _asked(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("blob", "data") and f"{address.scheme}://{address.netloc}" != self.origin:
            self.foreign.append(request.url)


def watch_for(page: Page, found: str) -> Callable[[], None]:
    """Looks from now on whether the JavaScript expression `found` is true for a moment; the answer waits for it."""
    name = f"data-seen-{uuid.uuid4().hex}"
    page.evaluate(
        f"""() => {{
            const look = () => {{
                if (!document.body.hasAttribute("{name}") && ({found})) document.body.setAttribute("{name}", "");
            }};
            const everything = {{ subtree: true, childList: true, characterData: true, attributes: true }};
            new MutationObserver(look).observe(document.body, everything);
            look();
        }}"""
    )
    return lambda: expect(page.locator("body")).to_have_attribute(name, "")


def _address_when_ready(process: subprocess.Popen[bytes], log: Path) -> str:
    def address() -> str | None:
        found = re.search(r"listening url=(\S+)", log.read_text(errors="replace"))
        return found[1] if found else None

    wait_until(lambda: process.poll() is not None or ((url := address()) and _is_ready(url)), lambda: _tail(log))
    url = address()
    if process.poll() is not None or url is None:
        pytest.fail(f"the service ended with status {process.returncode}:\n{_tail(log)}")
    return url


def _is_ready(address: str) -> bool:
    try:
        return httpx2.get(f"{address}/readyz", timeout=WAIT_S).status_code == 200
    except httpx2.TransportError:
        return False


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-4000:]
