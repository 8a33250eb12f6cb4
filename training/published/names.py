"""Single names as a WebDataset, beside scenes: what synthetic voices and people say, augmented, and a drawing of it.

`python -m training.published.names OUT --work WORK`, where WORK is the folder of nano's training.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
import wave
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from models.audio import SAMPLE_RATE
from training.nano.augment import augment
from training.nano.batches import SpokenCorpus
from training.nano.corpora import heard
from training.nano.drawings import TRAINING, cached_vendor
from training.nano.lexicon import Lexicon, load_lexicon
from training.told import told

SHARD = 1_000  # samples in a tar file

Vendor = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Pixels (N, 64, 64, 3), and the position in the lexicon of each."""


def write_names(work: Path, out: Path, utterances: int, split: str, seed: int) -> list[Path]:
    """`<split>-000000.tar` and so on; the same ones for the same seed. Raises `NotReady` where there is no speech.

    Every utterance is drawn as often as in nano's own training and augmented; its image is one of the drawings of
    what it names, by any vendor that is trained on.
    """
    lexicon = load_lexicon(work / "packages")
    corpus, weights = heard(work / "speech", lexicon.members.__contains__)
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(corpus.rows), utterances, p=weights / weights.sum())
    drawings = Drawings([cached_vendor(work / "packages", work, vendor, lexicon) for vendor in TRAINING], lexicon)
    out.mkdir(parents=True, exist_ok=True)
    samples = _samples(corpus, rows.tolist(), drawings, rng)
    starts = range(0, utterances, SHARD)
    return [
        _write(out / f"{split}-{number:06d}.tar", samples, start, min(SHARD, utterances - start))
        for number, start in enumerate(starts)
    ]


class Drawings:
    """Those of each vendor; an id for every one."""

    def __init__(self, vendors: Sequence[Vendor], lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._pixels = np.concatenate([pixels for pixels, _ in vendors])
        every = np.concatenate([positions for _, positions in vendors])
        self._of: Mapping[int, NDArray[np.int64]] = {
            position: np.flatnonzero(every == position) for position in range(len(lexicon.emoji))
        }

    def draw(self, phrase: str, rng: np.random.Generator) -> tuple[int, bytes] | None:
        """(id, PNG) of one of what a phrase names; None where there is no drawing of it."""
        ids = np.concatenate([self._of[position] for position in self._lexicon.members[phrase]])
        if not len(ids):
            return None
        id = int(rng.choice(ids))
        buffer = io.BytesIO()
        Image.fromarray(self._pixels[id]).save(buffer, "PNG")
        return id, buffer.getvalue()


Files = Mapping[str, bytes]
"""Of one sample, by their suffix."""


def _samples(
    corpus: SpokenCorpus, rows: Sequence[int], drawings: Drawings, rng: np.random.Generator
) -> Iterator[Files]:
    babble = corpus.wave(rows[0])
    for row in rows:
        phrase = corpus.phrases[corpus.rows[row, 0]]
        said, shown = augment(corpus.wave(row), rng, babble), drawings.draw(phrase, rng)
        babble = corpus.wave(row)
        if shown is None:
            yield {}
            continue
        facts = json.dumps({"text": phrase, "image_id": shown[0]}).encode()
        yield {"json": facts, "png": shown[1], "wav": _wav(said)}


def _write(path: Path, samples: Iterator[Files], start: int, count: int) -> Path:
    """The next so many samples, whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as tar:
        for number in range(start, start + count):
            for suffix, data in next(samples).items():
                member = tarfile.TarInfo(f"{number:07d}.{suffix}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    part.replace(path)
    return path


def _wav(samples: NDArray[np.float32]) -> bytes:
    """16 bits; what is too loud is made softer, not clipped."""
    loudest = max(1.0, float(np.abs(samples).max()))
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((samples / loudest * 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def main(
    out: Annotated[Path, typer.Argument(help="The folder of tar files.")],
    work: Annotated[Path, typer.Option(help="The folder of nano's training: packages, speech, drawings.")],
    utterances: Annotated[int, typer.Option(min=1)] = 12_000,
    split: Annotated[str, typer.Option(help="What the tar files are called.")] = "names",
    seed: Annotated[int, typer.Option(min=0)] = 7122,
) -> None:
    """Write single names as a WebDataset."""
    for path in write_names(work, out, utterances, split, seed):
        typer.echo(str(path))


if __name__ == "__main__":
    with told():
        typer.run(main)
