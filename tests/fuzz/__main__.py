"""`python -m tests.fuzz --requests 100000 --seed 1`: hostile requests to a real service, for a minute or for a night.

Ends with status 1 when an answer was not as it should be; `--keep FOLDER` keeps what was asked then.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import httpx2

from tests.fuzz.attack import Attack, Report
from tests.fuzz.service import Service


def main() -> None:
    """The program."""
    wanted = arguments()
    with tempfile.TemporaryDirectory() as folder:
        data = wanted.data or Path(folder)
        isolation = str(wanted.decode_isolation).lower()
        command = [sys.executable, "-m", "app.cli", "serve", "--model", wanted.model]
        service = Service(command, data, SPEECHCLIP_DECODE_ISOLATION=isolation)
        try:
            report = attacked(service, wanted)
        finally:
            status = service.stop()
        broken = status != 0 or bool(report.findings) or "Traceback" in service.log
        print("\n".join(report.lines()))
        print(f"ended with status {status}; {service.log.count('Traceback')} tracebacks in its log")
    sys.exit(1 if broken else 0)


def attacked(service: Service, wanted: argparse.Namespace) -> Report:
    """What came of it."""
    for name, kind in (("mine", "images"), ("other", "captions")):
        httpx2.put(f"{service.url}/collections/{name}", json={"kind": kind}, timeout=60).raise_for_status()
    attack = Attack(service, wanted.requests, wanted.seed, wanted.clients, wanted.keep, wanted.first)
    return attack.run(lambda number: print(f"request {number:,}", file=sys.stderr, flush=True))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="Number of the first request, to repeat a part.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--data", type=Path, help="Folder of the service; else one that is deleted again.")
    parser.add_argument("--keep", type=Path, help="Folder for requests whose answers were wrong.")
    parser.add_argument("--decode-isolation", action=argparse.BooleanOptionalAction, default=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
