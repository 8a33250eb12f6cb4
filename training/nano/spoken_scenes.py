"""Spoken captions of scenes, which are heard beside the names: what `speechclip data scenes` wrote for training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from models.audio import SAMPLE_RATE, decode
from models.clip import Tokenizer
from training.datasets import open_dataset
from training.nano.batches import MAX_SECONDS, Source
from training.nano.drawings import SIZE
from training.nano.pairs import PairLoss, embed_drawings, text_pairs
from training.nano.speech import Utterance
from training.scenes.splits import TRAIN


@dataclass(frozen=True, eq=False)
class SpokenScenes:
    """source: utterances; pixels: (N, 64, 64, 3), the pictures; members: by caption, the positions of its pictures."""

    source: Source
    pixels: NDArray[np.uint8]
    members: Mapping[str, Sequence[int]]

    def pairs(self, clip: nn.Module, tokens: Tokenizer, phrases: Sequence[str]) -> Sequence[PairLoss]:
        """Captions with their pictures, and with themselves as CLIP reads them."""
        return (
            PairLoss(embed_drawings(clip, self.pixels), np.arange(len(self.pixels)), phrases, self.members),
            text_pairs(clip, tokens, list(self.members), phrases),
        )


def spoken_scenes(folder: Path) -> SpokenScenes:
    """The scenes for training in a corpus, without captions that would be cut. Raises `DatasetError`."""
    places, pictures = dict[int, int](), list[NDArray[np.uint8]]()
    members, waves, rows, start = defaultdict[str, list[int]](list), list[NDArray[np.int16]](), list[Utterance](), 0
    for pair in open_dataset("webdataset", folder, TRAIN.name).pairs:
        wave = decode(pair.audio.read()).samples
        if len(wave) > MAX_SECONDS * SAMPLE_RATE:
            continue
        if pair.image_id not in places:
            places[pair.image_id] = len(pictures)
            pictures.append(_picture(pair.image.read()))
        caption = pair.text or ""
        members[caption].append(places[pair.image_id])
        waves.append((wave * 32767).astype(np.int16))
        rows.append(Utterance(caption, TRAIN.name, start, len(wave)))
        start += len(wave)
    return SpokenScenes((np.concatenate(waves), rows), np.stack(pictures), members)


def _picture(data: bytes) -> NDArray[np.uint8]:
    with Image.open(BytesIO(data)) as image:
        return np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC))
