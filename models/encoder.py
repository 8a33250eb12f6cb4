"""The encoder: batches of waveforms, images or texts in, unit vectors of one space out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor

from models.branches.keywords import KeywordSlot
from models.branches.quantizer import Subwords
from models.branches.slots import SlotReader
from models.clip import ImagePreprocessor, Tokenizer, unit
from models.config import Branch, ModelConfig, Precision
from models.faults import device_faults
from models.folder import ModelFolder, find_model
from models.hubert import Frames
from models.lanes import lanes
from models.listeners import InBatches, Listener, OneByOne
from models.packed.tower import PackedTower
from models.precision import KINDS, keep_exact, require
from models.protocol import Memory, SpeechEmbeddings, Vectors
from models.published.shelf import read_card
from models.speechclip import SpeechClip

LANES_OF_A_GPU = 2
"""While one batch is on the device, another is padded, or read out and answered."""


class SpeechClipEncoder:
    """`Encoder` by a SpeechCLIP model, on the GPU where there is one. Raises `PrecisionError`.

    network: on `device`, in evaluation mode; on a CPU the layers of its CLIP are packed.
    """

    def __init__(self, folder: ModelFolder, device: str | None = None, precision: Precision = "fp32") -> None:
        config: ModelConfig = folder.config
        self.config = config
        self.name, self.fingerprint, self.dim = config.name, folder.fingerprint, config.embedding_size
        self.branches: Sequence[Branch] = sorted(config.branches, key=lambda branch: branch != config.search_branch)
        self.image_size = config.clip.vision.image_size
        self.card = read_card(folder.path)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        require(precision, self.device)
        keep_exact(precision, self.device)
        self.precision: Precision = precision
        self.batched = self.device.type != "cpu"
        self.lanes = LANES_OF_A_GPU if self.batched else lanes()
        self.network: SpeechClip = folder.load().to(self.device).requires_grad_(False)
        self._listen = self._arranged(KINDS[precision])
        self._tokens = Tokenizer.of(config.clip.text)
        self._pixels = ImagePreprocessor(config.clip.vision)
        self._slots = SlotReader(folder.vocabulary, self._tokens)

    @device_faults()
    @torch.inference_mode()
    def embed_speech(
        self, waves: Sequence[NDArray[np.float32]], branch: Branch | None = None, return_keywords: bool = False
    ) -> SpeechEmbeddings:
        branch = self.config.search_branch if branch is None else branch
        self.network.require(branch)
        return_keywords = return_keywords and "cascaded" in self.branches
        if not waves:
            return SpeechEmbeddings(np.empty((0, self.dim), np.float32), [] if return_keywords else None)
        shortest = min(len(wave) for wave in waves)
        if not self.config.audio.frame_count(shortest):
            raise ValueError(f"an utterance of {shortest} samples is too short for a single frame")
        vectors = np.empty((len(waves), self.dim), np.float32)
        slots: dict[int, list[KeywordSlot]] = {}
        for rows, frames in self._listen(waves):
            vectors[rows], heard = self._embed(frames, branch, return_keywords)
            slots |= zip(rows, heard, strict=True)
        return SpeechEmbeddings(vectors, [slots[row] for row in range(len(waves))] if return_keywords else None)

    def _embed(
        self, frames: Frames, branch: Branch, return_keywords: bool
    ) -> tuple[Vectors, Sequence[list[KeywordSlot]]]:
        """Of one group, with nothing for the slots that were not asked for."""
        network, heard = self.network, None
        if return_keywords or branch == "cascaded":
            heard = network.keywords(frames, subwords=self._subwords)
        if heard is None or branch == "parallel":
            vectors = network.embed_whole(frames)
        else:
            vectors = network.embed_keywords(heard)
        if heard is None or not return_keywords:
            return _numpy(vectors), [[] for _ in vectors]
        return _numpy(vectors), self._slots.read(network, frames, heard)

    def _arranged(self, kind: torch.dtype) -> Listener:
        if self.device.type != "cpu":
            return InBatches(self.network.audio_encoder, self.device, kind)
        clip = self.network.clip
        clip.transformer = PackedTower(clip.transformer, kind)
        clip.visual.transformer = PackedTower(clip.visual.transformer, kind)
        return OneByOne(self.network.audio_encoder, kind)

    @cached_property
    def _subwords(self) -> Subwords:
        return Subwords.of(self.network.subwords)

    @device_faults()
    @torch.inference_mode()
    def embed_images(self, images: Sequence[Image]) -> Vectors:
        if not images:
            return np.empty((0, self.dim), np.float32)
        return _numpy(self.network.embed_images(self._pixels(images).to(self.device)))

    @device_faults()
    @torch.inference_mode()
    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.dim), np.float32)
        return _numpy(self.network.embed_texts(self._tokens(texts).to(self.device)))

    @device_faults()
    @torch.inference_mode()
    def slot_words(self, texts: Sequence[str]) -> Vectors | None:
        if "cascaded" not in self.branches:
            return None
        tokens = self._tokens(texts)
        places = torch.arange(tokens.shape[1])
        inside = (places > 0) & (places < tokens.argmax(1, keepdim=True))  # the end has the greatest of all ids
        pieces = unit(self.network.clip.token_embedding.weight[tokens[inside].to(self.device)])
        rows = inside.nonzero()[:, 0].to(self.device)
        words = torch.zeros(len(texts), pieces.shape[1], device=self.device).index_add(0, rows, pieces)
        return _numpy(unit(words))

    def device_memory(self) -> Memory | None:
        if self.device.type != "cuda":
            return None
        free, total = torch.cuda.mem_get_info(self.device)
        return Memory(total - free, total)


def load_encoder(name_or_path: str, precision: Precision = "fp32") -> SpeechClipEncoder:
    """A shipped model by name, or a model folder by path.

    Raises `models.errors.ModelFolderError`, and `PrecisionError` where this machine does not compute like that.
    """
    return SpeechClipEncoder(find_model(name_or_path), precision=precision)


def _numpy(vectors: Tensor) -> Vectors:
    return vectors.cpu().numpy()
