"""The words that the page says for those without a microphone: `python -m scripts.spoken_examples [--sounds FOLDER]`.

Made of the telephone prompts in Debian's package asterisk-core-sounds-en-wav, whose licence stands beside them.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Mapping
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE, decode
from training.nano.prompts import SOUNDS
from training.nano.voices import trim

FOLDER = Path(__file__).resolve().parents[1] / "app" / "page" / "examples"
PROMPTS: Mapping[str, str] = {
    "golf": "phonetic/g_p.wav",
    "tango": "phonetic/t_p.wav",
    "x-ray": "phonetic/x_p.wav",
    "family": "vm-Family.wav",
    "location": "location.wav",
}
"""What is said, and where it is in the package."""
PEAK = 0.9
BITS_PER_SECOND = 32_000


def main() -> None:
    """Write them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sounds", type=Path, default=SOUNDS, help="the package's folder of prompts")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where they go")
    given = parser.parse_args()
    write(given.sounds, given.folder)
    print(f"{given.folder} has {', '.join(PROMPTS)}.")


def write(sounds: Path, folder: Path) -> None:
    """One mp3 for every prompt: without the silence around it, and as loud as the others."""
    for word, name in PROMPTS.items():
        (folder / f"{word}.mp3").write_bytes(mp3(PEAK * trim(decode((sounds / name).read_bytes()).samples)))


def mp3(samples: NDArray[np.float32]) -> bytes:
    """A file of (time,) samples of 16 kHz; the same samples make the same bytes."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp3", options={"write_xing": "0"}) as out:
        stream = out.add_stream("libmp3lame", rate=SAMPLE_RATE, layout="mono", bit_rate=BITS_PER_SECOND, format="fltp")
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        for packet in (*stream.encode(frame), *stream.encode(None)):
            out.mux(packet)
    return file.getvalue()


if __name__ == "__main__":
    main()
