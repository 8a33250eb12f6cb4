"""CLIP through open_clip: towers from a configuration, tokeniser, image preprocessing (spec section 3.12)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from threading import Lock
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from models import compat
from models.config import ClipConfig, TextConfig, VisionConfig
from models.images import looked_at

compat.prepare()

import open_clip  # noqa: E402  the line above makes it importable
from open_clip.tokenizer import SimpleTokenizer  # noqa: E402

_SPECIAL_AND_BYTE_TOKENS = 2 * 256 + 2
_CACHED_WORDS = 50_000
_MOST_CHARACTERS = 2_000  # of a text: far more than fit any context, and the time for one long word is quadratic


def build_clip(config: ClipConfig, embedding_size: int) -> nn.Module:
    """open_clip's CLIP with random weights; the names of its tensors are openai's."""
    vision, text = config.vision, config.text
    clip: nn.Module = open_clip.CLIP(
        embedding_size,
        vision_cfg=open_clip.CLIPVisionCfg(
            layers=vision.layers,
            width=vision.width,
            head_width=vision.head_width,
            patch_size=vision.patch_size,
            image_size=vision.image_size,
        ),
        text_cfg=open_clip.CLIPTextCfg(
            context_length=text.context_length,
            vocab_size=text.vocab_size,
            width=text.width,
            heads=text.heads,
            layers=text.layers,
        ),
        quick_gelu=config.quick_gelu,
    )
    return clip


class Tokenizer:
    """CLIP's byte-pair encoding, cut to its first merges where a model has a smaller table.

    The merges are ordered by how often they are used, so a prefix of them is a valid encoding of any text, in
    shorter pieces.
    """

    def __init__(self, vocab_size: int = 49408, context_length: int = 77) -> None:
        self.context_length = context_length
        self._bpe = _byte_pair_encoding(vocab_size)
        self._encoding = Lock()
        self.sot, self.eot = vocab_size - 2, vocab_size - 1

    @classmethod
    def of(cls, text: TextConfig) -> Self:
        """That of a model's text tower."""
        return cls(text.vocab_size, text.context_length)

    def encode(self, text: str) -> list[int]:
        """Ids without start, end and padding."""
        with self._encoding:
            # Its cache keeps every word ever seen; strangers have more words than there is memory.
            if len(self._bpe.cache) > _CACHED_WORDS:
                self._bpe.cache.clear()
            ids: list[int] = self._bpe.encode(text)
            return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The pieces of `ids`, a space for every end of a word."""
        text: str = self._bpe.decode(list(ids))
        return text

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """(B, context_length) int64: start, ids, end, zeros; what is too long is cut before the end."""
        rows = torch.zeros(len(texts), self.context_length, dtype=torch.long)
        for row, text in zip(rows, texts, strict=True):
            ids = [self.sot, *self.encode(text[:_MOST_CHARACTERS])[: self.context_length - 2], self.eot]
            row[: len(ids)] = torch.tensor(ids)
        return rows


@cache
def _byte_pair_encoding(vocab_size: int) -> Any:
    bpe = SimpleTokenizer()
    merges = sorted(bpe.bpe_ranks, key=bpe.bpe_ranks.__getitem__)[: vocab_size - _SPECIAL_AND_BYTE_TOKENS]
    pieces = [piece for piece, number in bpe.encoder.items() if number < 512] + ["".join(merge) for merge in merges]
    vocabulary = [*pieces, "<start_of_text>", "<end_of_text>"]
    bpe.encoder = {piece: number for number, piece in enumerate(vocabulary)}
    bpe.decoder = dict(enumerate(vocabulary))
    bpe.bpe_ranks = {merge: rank for rank, merge in enumerate(merges)}
    bpe.cache = {}  # without the special tokens: a text that spells one out is text
    return bpe


class ImagePreprocessor:
    """openai's: RGB, shorter side to `image_size` (bicubic), centre crop, mean and deviation of CLIP's data."""

    def __init__(self, config: VisionConfig) -> None:
        self._size = config.image_size
        self._mean = torch.tensor(open_clip.OPENAI_DATASET_MEAN)[:, None, None]
        self._deviation = torch.tensor(open_clip.OPENAI_DATASET_STD)[:, None, None]

    def __call__(self, images: Sequence[Image.Image]) -> Tensor:
        """(B, 3, image_size, image_size) float32."""
        batch = torch.empty(len(images), 3, self._size, self._size)
        for row, image in zip(batch, images, strict=True):
            row.copy_(self._pixels(image))
        return batch

    def _pixels(self, image: Image.Image) -> Tensor:
        pixels = np.array(looked_at(image, self._size), np.float32)
        return (torch.from_numpy(pixels).permute(2, 0, 1) / 255 - self._mean) / self._deviation


def read_texts(clip: Any, tokens: Tensor) -> Tensor:
    """(B, context_length) tokens -> (B, E), as `clip.encode_text`.

    No position sees a later one, so the tower ends where the longest text does.
    """
    ends = tokens.argmax(1)
    size = int(ends.max()) + 1
    x = clip.token_embedding(tokens[:, :size]) + clip.positional_embedding[:size]
    x = clip.transformer(x, attn_mask=clip.attn_mask[:size, :size])
    read: Tensor = clip.ln_final(x[torch.arange(len(x), device=x.device), ends]) @ clip.text_projection
    return read


def unit(vectors: Tensor) -> Tensor:
    """Unit length along the last axis, in float32."""
    return F.normalize(vectors.float(), dim=-1)
