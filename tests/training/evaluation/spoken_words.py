"""Data sets of "spoken" words and their "drawings", in memory or in a folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.fake_encoder import WORDS, FakeEncoder, drawn, spoken
from training.datasets import Dataset, Pair
from training.errors import DatasetError
from training.evaluation.local import LocalEmbedder, as_served


@dataclass(frozen=True)
class Memory:
    """A file that is not on a disk; None: one that is gone."""

    name: str
    data: bytes | None

    def read(self) -> bytes:
        if self.data is None:
            raise DatasetError(f"{self.name} is gone")
        return self.data


def pair(number: int, word: str, *, shown: str | None = None, text: str | None = None) -> Pair:
    """Utterance `number` of a word, which is image `word` unless another word is shown."""
    image = shown or word
    audio = Memory(f"{number}.wav", spoken(word, 0.3 + 0.01 * number))
    return Pair(str(number), audio, Memory(f"{image}.png", drawn(image)), list(WORDS).index(image), text)


def dataset(pairs: Sequence[Pair]) -> Dataset:
    return Dataset("words", "test", pairs, missing=())


def fake_embedder(encoder: FakeEncoder | None = None) -> LocalEmbedder:
    encoder = encoder or FakeEncoder()
    return LocalEmbedder(encoder, "parallel", "service", as_served(encoder, "parallel"))


def write_manifest(folder: Path, words: Sequence[str]) -> Path:
    """A manifest of utterances, in the split `test`."""
    folder.mkdir(parents=True)
    rows = []
    for number, word in enumerate(words):
        (folder / f"{number}.wav").write_bytes(spoken(word, 0.3 + 0.01 * number))
        (folder / f"{word}.png").write_bytes(drawn(word))
        rows.append({"audio": f"{number}.wav", "image": f"{word}.png", "text": f"a {word}", "split": "test"})
    (folder / "manifest.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder
