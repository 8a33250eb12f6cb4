"""Build the image without a container engine, run it and ask it: `python -m scripts.image_proof FOLDER`, as root.

1. `debootstrap` makes a base image (FOLDER/base.tar, taken again next time), unless `--base` names one.
2. `buildah` builds the target `cpu` of the Dockerfile on it, with pip's index, links and certificates of this machine.
3. The service runs from the built root as the image says: as its user and process 1, without rights, the root
   read-only. It is asked over HTTP, its health check is run, and SIGTERM has to end it with status 0; twice.

At the end everything but base.tar is removed. After a failure the layers stay, and the next call goes on from there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.environment import find_links, holds_torch, pip_find_links, torch_version
from scripts.image_build import Builder, Index, ProofFailed, make_base
from scripts.image_run import Container, Running
from speechclip_client import Client
from speechclip_client.errors import SpeechClipError

SOURCE = Path(__file__).resolve().parents[1]
RECORDING = SOURCE / "examples" / "camel.wav"
SAID = "camel"
START_S = 300
PLACES = {"/data": True, "/tmp": True, "/opt/speechclip": False, "/etc": False, "/": False}  # noqa: S108
"""May the service write there?"""
MB = 1_000_000


def main(arguments: Sequence[str]) -> int:
    """Do it; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.image_proof", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="for all that is made: 12 GB")
    parser.add_argument("--base", help="an image to build on, from a registry")
    parser.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="for the service")
    parser.add_argument("--queries", type=int, default=300, help="to ask before its memory is read")
    parser.add_argument("--keep", action="store_true", help="leave the layers for the next call")
    asked = parser.parse_args(arguments)
    if os.geteuid():
        parser.error("only root may mount and change roots")
    try:
        prove(asked.folder.absolute(), asked.base, dict(one.split("=", 1) for one in asked.env), asked.queries)
    except (ProofFailed, SpeechClipError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    if not asked.keep:
        Builder(asked.folder.absolute()).remove()
    return 0


def prove(folder: Path, base: str | None, environment: dict[str, str], queries: int) -> None:
    """Every step, each told on stdout. Raises `ProofFailed` or what the client raises."""
    folder.mkdir(parents=True, exist_ok=True)
    builder = Builder(folder)
    base = base or _own_base(builder)
    start = time.monotonic()
    image = builder.build(SOURCE, "cpu", base, index_of_this_machine())
    say(f"built on {base} in {time.monotonic() - start:.0f} s")
    for layer in builder.layers(image):
        say(f"layer of {layer.size / MB:7.1f} MB, {layer.compressed / MB:6.1f} MB compressed: {layer.made_by[:72]}")
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    port = _free_port()
    environment = {"SPEECHCLIP_HOST": "127.0.0.1", "SPEECHCLIP_PORT": str(port), **environment}
    with builder.mounted(image) as root:
        container = Container.of(builder.config(image), root, data, environment)
        for _ in range(2):
            with container.started(folder / "service.log") as service:
                check(service, f"http://127.0.0.1:{port}", queries)
    shutil.rmtree(data)


def check(service: Running, url: str, queries: int) -> None:
    """One life of the service. Raises `ProofFailed` or what the client raises."""
    with Client(url) as client:
        _wait(client, service)
        say(f"ready after {time.monotonic() - service.since:.1f} s")
        check_walls(service)
        service.execute(*service.container.health)
        say("the health check is content")
        nearest = client.search("images", audio=RECORDING, top_k=1).results[0]
        keyword = client.keywords(audio=RECORDING, top_k=1).keywords[0]
        say(f"a recording of {SAID!r}: the picture {nearest.caption!r}, the keyword {keyword.keyword!r}")
        if SAID not in (nearest.caption or "") or not keyword.keyword:
            raise ProofFailed("that is not what was said")
        for _ in range(queries):
            client.search("images", audio=RECORDING)
        say(f"after {queries} more queries {int(service.status()['VmRSS'].split()[0]) / 1024:.0f} MiB resident")
    status, seconds = service.stop()
    say(f"SIGTERM: ended with status {status} after {seconds:.1f} s")
    if status:
        raise ProofFailed("a service that is asked to stop ends well")


def check_walls(service: Running) -> None:
    """Raises `ProofFailed` where the service has more rights than it needs."""
    status = service.status()
    rights = {status["CapEff"], status["CapBnd"]}
    if status["Uid"].split()[0] == "0" or rights != {"0" * 16} or status["NoNewPrivs"] != "1":
        raise ProofFailed(f"the service has rights: {status['Uid']}, {rights}")
    for path, writable in PLACES.items():
        tried = service.execute("sh", "-c", f"f={path.rstrip('/')}/.tried; (: > $f && rm $f) 2>/dev/null || echo no")
        if writable == bool(tried):
            raise ProofFailed(f"{path} is {'not ' if writable else ''}writable")
    say(f"process 1 is user {status['Uid'].split()[0]} without capabilities; of its root /data and /tmp are writable")


def index_of_this_machine() -> Index:
    """Raises nothing: what pip is not told is not passed on."""
    links = find_links(os.environ, pip_find_links)
    return Index(
        url=_pip_setting("index-url"),
        links=tuple(links),
        certificates=_pip_setting("cert"),
        has_torch=holds_torch(links, torch_version(SOURCE)),
    )


def _pip_setting(name: str) -> str | None:
    from_environment = os.environ.get(f"PIP_{name.upper().replace('-', '_')}")
    command = [sys.executable, "-m", "pip", "config", "get", f"global.{name}"]
    told = from_environment or subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return told.strip() or None


def _own_base(builder: Builder) -> str:
    tarball = builder.folder / "base.tar"
    if not tarball.exists():
        make_base(tarball)
    say(f"base of {tarball.stat().st_size / MB:.0f} MB from {tarball}")
    return builder.import_base(tarball)


def _wait(client: Client, service: Running) -> None:
    """Until it answers, or has ended."""
    until = time.monotonic() + START_S
    while time.monotonic() < until and service.outer.poll() is None:
        try:
            return client.wait_until_ready(1)
        except SpeechClipError:
            continue
    raise ProofFailed("the service does not get ready: service.log says more")


def _free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


def say(text: str) -> None:
    print(f"[proof] {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
