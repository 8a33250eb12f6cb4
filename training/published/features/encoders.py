"""The frozen networks: what they are, and what becomes of one utterance and of one image."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.speechclip import SpeechClip
from training.published.errors import TrainingError

Precision = Literal["float16", "bfloat16"]
VERSION = "2"  # of how files become waves and pixels, and these features: another one, and all are made anew
_KINDS = {"float16": torch.float16, "bfloat16": torch.bfloat16}
_DIGITS = 16  # of a fingerprint


class FrozenEncoders:
    """HuBERT and CLIP's image tower of a model in training, in evaluation mode and in full precision.

    One utterance or image at a time: what comes out depends on nothing else, to the last bit.
    """

    def __init__(self, model: SpeechClip, precision: Precision) -> None:
        self._model, self.precision = model, precision
        audio = model.config.audio
        self.config = audio
        self.image_bytes = 4 * model.config.embedding_size
        # A sum of the layers is made later, with what it normalises.
        told = audio.model_dump_json(exclude={"normalize_hidden_states"})
        self.speech_name = f"speech-{precision}-{_fingerprint(told, model.audio_encoder.hubert)}"
        clip = model.config.clip
        self.image_name = f"images-{_fingerprint(f'{clip.vision} {clip.quick_gelu}', model.clip.visual)}"

    def speech_bytes(self, samples: int) -> int:
        """What the features of so many samples take on disk."""
        return 2 * (self.config.layers + 1) * self.config.frame_count(samples) * self.config.hidden_size

    @torch.inference_mode()
    def hear(self, wave: NDArray[np.float32]) -> NDArray[np.int16]:
        """(samples,) -> the bits of (layers + 1, T, D) hidden states. Raises `TrainingError`."""
        self._model.audio_encoder.hubert.train(False)
        device = self._model.audio_encoder.layer_weights.device
        padded = torch.from_numpy(wave)[None].to(device)
        states = self._model.audio_encoder(padded, torch.tensor([len(wave)], device=device)).hidden_states
        kept = torch.cat(list(states)).to(_KINDS[self.precision])
        if not bool(kept.isfinite().all()):
            raise TrainingError(f"HuBERT's states are no numbers in {self.precision}; try features=bfloat16")
        return kept.view(torch.int16).cpu().numpy()

    @torch.inference_mode()
    def look(self, pixels: Tensor) -> NDArray[np.float32]:
        """(3, H, H) -> (E,) of unit length."""
        self._model.clip.train(False)
        device = self._model.audio_encoder.layer_weights.device
        return self._model.embed_images(pixels[None].to(device))[0].cpu().numpy()


def states(bits: NDArray[np.int16], precision: Precision) -> Tensor:
    """The hidden states whose bits were kept, not copied."""
    return torch.from_numpy(bits).view(_KINDS[precision])


def _fingerprint(told: str, network: nn.Module) -> str:
    digest = blake2b(f"{VERSION} {told}".encode(), digest_size=_DIGITS)
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
