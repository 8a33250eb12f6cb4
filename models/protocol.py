"""What encodes, as the service sees it: batches of waveforms, images or texts in, unit vectors of one space out.

Imports no network: whoever only asks an encoder does not wait for torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from models.branches.keywords import KeywordSlot
from models.config import Branch, Precision

Vectors = NDArray[np.float32]


class Memory(NamedTuple):
    """Bytes: taken, and all there are."""

    used: int
    total: int


@dataclass(frozen=True)
class SpeechEmbeddings:
    """What a batch of utterances became.

    vectors: (B, E) float32, unit length, of the branch that was asked for
    keywords: for every utterance, its slots in their order; None where they were not asked for, and where the model
        has no slots
    """

    vectors: Vectors
    keywords: Sequence[Sequence[KeywordSlot]] | None = None


class Encoder(Protocol):
    """What the service needs of a model. Raises `DeviceOutOfMemory` and `DeviceLost` where its device does that.

    name: for people; fingerprint: equal only where all embeddings are; dim: E;
    image_size: side in pixels of `models.images.looked_at`, which has the vector of the whole image;
    precision: in which its products are made;
    branches: what `branch=` may be, first the one that is used where none is asked for;
    lanes: how many threads may call it at one time;
    batched: whether several at once are quicker than one by one;
    card: what is known of it, in Markdown, or nothing.
    """

    name: str
    fingerprint: str
    card: str
    dim: int
    image_size: int
    precision: Precision
    branches: Sequence[Branch]
    lanes: int
    batched: bool

    def embed_speech(
        self, waves: Sequence[NDArray[np.float32]], branch: Branch | None = None, return_keywords: bool = False
    ) -> SpeechEmbeddings:
        """Utterances, each (samples,) float32 mono 16 kHz of at least 0.1 s. A result is independent of the others.

        branch: the first of `branches`, unless another is named. Raises `models.errors.BranchError` where it has none.
        """
        ...

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        """Images of any size and mode -> (B, E)."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """Texts, cut to what the model's text tower takes -> (B, E)."""
        ...

    def slot_words(self, texts: Sequence[str]) -> Vectors | None:
        """Whole words -> (N, E), to be compared with `KeywordSlot.vector`; None for a model without slots.

        A word is the direction of the sum of its pieces, each a unit vector of CLIP's sub-word table. Of unit length,
        or zero where a text has no pieces.
        """
        ...

    def device_memory(self) -> Memory | None:
        """Of the device, taken by whomever; None where the model is in the memory of the machine itself."""
        ...
