"""What `--decode-isolation` costs: `python -m bench.decode_isolation [FILE...]`, by default usual ones.

The CPU time is that of both processes. Beside the table: how long a process takes to start, and its memory.
"""

from __future__ import annotations

import io
import re
import sys
import time
import wave
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image

from bench.measure import Contender, compare
from bench.report import Report
from models.decoders import Decoder, DirectDecoder
from models.isolation.decoder import IsolatedDecoder

ROUNDS = 101
SEED = 11


def main(paths: list[str]) -> None:
    """Print a report."""
    found = {path: Path(path).read_bytes() for path in paths} or _usual()
    started = time.perf_counter()
    isolated = IsolatedDecoder(1)
    _decode(isolated, files("app").joinpath("utterance.flac").read_bytes())
    pid, waited = isolated.pids[0], time.perf_counter() - started
    settings = {
        "rounds": ROUNDS,
        "seed": SEED,
        "seconds until the first answer": round(waited, 2),
        "of a processor": round(_processor_s(pid), 2),
    }
    sections = [(name, _rows(data, isolated, pid)) for name, data in found.items()]
    report = Report("Decoding in a process of its own", settings | _memory(pid))
    for name, rows in sections:
        report.add(name, rows)
    isolated.close()
    print(report.to_markdown(), end="")


def _rows(data: bytes, isolated: Decoder, pid: int) -> list[dict[str, object]]:
    direct = Contender("in the service", lambda: _decode(DirectDecoder(), data))
    apart = Contender("isolated", lambda: _decode(isolated, data), lambda: time.process_time() + _processor_s(pid))
    return compare(apart, [direct], ROUNDS, warm_ups=3).rows()


def _decode(decoder: Decoder, data: bytes) -> None:
    is_image = any(data.startswith(start) for start in (b"\x89PNG", b"\xff\xd8", b"GIF8", b"BM"))
    decoder.image(data) if is_image else decoder.audio(data)


def _usual() -> dict[str, bytes]:
    """Three seconds as a microphone gives them, and a photograph of twelve million pixels."""
    rng, sound, photograph = np.random.default_rng(SEED), io.BytesIO(), io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(rng.normal(0, 3_000, 48_000).astype("<i2").tobytes())
    coarse = Image.fromarray(rng.integers(0, 256, (75, 100, 3), np.uint8))
    coarse.resize((4_000, 3_000)).save(photograph, "JPEG")
    small = io.BytesIO()
    coarse.resize((640, 480)).save(small, "JPEG")
    return {
        "3 s of wav, 16 kHz": sound.getvalue(),
        "jpeg, 640 x 480": small.getvalue(),
        "jpeg, 4000 x 3000": photograph.getvalue(),
    }


def _processor_s(pid: int) -> float:
    # In nanoseconds; /proc/PID/stat counts in hundredths of a second.
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _memory(pid: int) -> dict[str, object]:
    found = re.findall(r"^(Rss|Pss):\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return {f"MiB of the process ({name})": int(size) // 1024 for name, size in found}


if __name__ == "__main__":
    main(sys.argv[1:])
