"""A fake with keyword slots, one for every half second, and a branch for the first and the last word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.branches.keywords import KeywordSlot, Subword
from models.config import Branch
from models.protocol import SpeechEmbeddings
from tests.fake_encoder import RATE, WORDS, FakeEncoder, heard, tone, wav
from tests.patience import WAIT_S

SLOT_S = 0.5


class SlotEncoder(FakeEncoder):
    """`cascaded`, the search branch, hears the first word of an utterance, `parallel` its last.

    asked: branch, keywords and size of every batch of speech.
    """

    name = "slots"
    branches: Sequence[Branch] = ("parallel", "cascaded")

    def __init__(self, dim: int = 16) -> None:
        super().__init__(dim)
        self.asked: list[tuple[Branch | None, bool, int]] = []
        self.word_batches: list[int] = []
        """How many texts each call of `slot_words` had."""

    def forget(self) -> None:
        super().forget()
        self.asked.clear()
        self.word_batches.clear()

    def embed_speech(
        self, waves: Sequence[NDArray[np.float32]], branch: Branch | None = None, return_keywords: bool = False
    ) -> SpeechEmbeddings:
        self.asked.append((branch, return_keywords, len(waves)))
        said = [_words(wave) for wave in waves]
        vectors = self._embed("speech", [words[-1 if branch == "parallel" else 0] for words in said])
        keywords = [[self.slot(place, word) for place, word in enumerate(words)] for words in said]
        return SpeechEmbeddings(vectors, keywords if return_keywords else None)

    def slot(self, place: int, word: str) -> KeywordSlot:
        """The slot of the word that was said as number `place`; it is near to the word, and not the word itself."""
        vector = _unit(self.vector(word) + 0.3 * self.vector(f"the manner of slot {place}"))
        scores = {word: float(vector @ self.vector(word)) for word in WORDS}
        pieces = sorted(scores, key=lambda word: -scores[word])
        return KeywordSlot(
            slot=place,
            start=place * SLOT_S,
            end=(place + 1) * SLOT_S,
            subwords=[Subword(number, f"{piece}</w>", scores[piece]) for number, piece in enumerate(pieces)],
            vector=vector,
            attention=np.full(10, 0.1, np.float32),
            frame_seconds=0.02,
        )

    def slot_words(self, texts: Sequence[str]) -> NDArray[np.float32] | None:
        self.word_batches.append(len(texts))
        if not self.open.wait(WAIT_S):
            raise TimeoutError("a test forgot to let the encoder go on")
        sums = [sum((self.vector(piece) for piece in text.split()), np.zeros(self.dim, np.float32)) for text in texts]
        return np.stack([_unit(one) for one in sums]) if sums else np.empty((0, self.dim), np.float32)


def said(*words: str) -> bytes:
    """A WAV file in which the words are "spoken" one after the other, each for the time of a slot."""
    return wav(np.concatenate([tone(word, SLOT_S) for word in words]))


def _words(wave: NDArray[np.float32]) -> list[str]:
    size = round(SLOT_S * RATE)
    return [heard(wave[start : start + size]) for start in range(0, max(len(wave) - size, 0) + 1, size)]


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.linalg.norm(vector)
    return np.asarray(vector / length if length else vector, np.float32)
