"""From what a network heard to what people can read: every slot with its nearest sub-words and its place in time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.audio import SAMPLE_RATE
from models.branches.cascaded import Keywords
from models.branches.keywords import KeywordSlot, Subword, attended, integrated
from models.branches.quantizer import SPECIAL, candidates
from models.clip import Tokenizer, unit
from models.hubert import Frames
from models.speechclip import SpeechClip

SUBWORDS = 10  # of every slot

_END_OF_WORD = "</w>"


class SlotReader:
    """vocabulary: ids, in `tokens`' encoding, of the sub-words that keywords are chosen from."""

    def __init__(self, vocabulary: Sequence[int], tokens: Tokenizer) -> None:
        self._vocabulary, self._tokens = vocabulary, tokens

    def read(self, model: SpeechClip, frames: Frames, heard: Keywords) -> list[list[KeywordSlot]]:
        """The slots of every utterance of a batch. `heard` was made of `frames` by `model`."""
        attention = _numpy(model.cascaded_branch.attention(frames.features, frames.lengths, heard))
        vectors = _numpy(unit(heard.vectors))
        scores, ids = candidates(heard.scores).topk(min(SUBWORDS, heard.scores.shape[2] - len(SPECIAL)))
        seconds = model.config.audio.frame_stride / SAMPLE_RATE
        span = attended if heard.fired is None else integrated

        def slot(row: int, number: int, length: int) -> KeywordSlot:
            weights = attention[row, number, :length]
            start, end = span(weights)
            subwords = self._subwords(ids[row, number], scores[row, number])
            return KeywordSlot(number, start * seconds, end * seconds, subwords, vectors[row, number], weights, seconds)

        sizes = zip(heard.counts.tolist(), frames.lengths.tolist(), strict=True)
        return [[slot(row, number, length) for number in range(count)] for row, (count, length) in enumerate(sizes)]

    def _subwords(self, rows: Tensor, scores: Tensor) -> list[Subword]:
        found = zip((self._vocabulary[row] for row in rows.tolist()), scores.tolist(), strict=True)
        return [Subword(id, self.piece(id), score) for id, score in found]

    def piece(self, id: int) -> str:
        """The text of a sub-word as the encoding writes it: with a mark where a word ends."""
        text = self._tokens.decode([id])
        return text[:-1] + _END_OF_WORD if text.endswith(" ") else text


def _numpy(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.cpu().numpy()
