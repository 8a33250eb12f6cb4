"""What it costs to recognise speech first, at the least: Whisper base's encoder on its window of 30 s, then a text.

Random weights, since speed does not depend on them. The decoder, which would make the text word by word, is left out,
so any such service takes longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import compat
from models.config import Branch
from models.lanes import share_cores
from models.protocol import Encoder, SpeechEmbeddings

compat.prepare()
from transformers import WhisperConfig  # noqa: E402
from transformers.audio_utils import mel_filter_bank  # noqa: E402
from transformers.models.whisper.modeling_whisper import WhisperEncoder  # noqa: E402

RATE, WINDOW_S = 16_000, 30
BANDS, FFT, HOP = 80, 400, 160
BASE = WhisperConfig(d_model=512, encoder_layers=6, encoder_attention_heads=8, encoder_ffn_dim=2048, num_mel_bins=BANDS)
TEXT = "a dog runs over a green field"


class Recognition:
    """The encoder of a service that would search with recognised text; all but speech is the other's."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        share_cores()
        self._network = WhisperEncoder(BASE)
        self._network.train(False)
        bank = mel_filter_bank(1 + FFT // 2, BANDS, 0.0, RATE / 2, RATE, norm="slaney", mel_scale="slaney")
        self._bank = torch.from_numpy(bank.T).float()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    @torch.inference_mode()
    def embed_speech(
        self, waves: Sequence[NDArray[np.float32]], branch: Branch | None = None, return_keywords: bool = False
    ) -> SpeechEmbeddings:
        """Listens to every utterance, and says the same text for each."""
        for wave in waves:
            self._network(self._features(wave))
        return SpeechEmbeddings(self._encoder.embed_texts([TEXT] * len(waves)))

    def _features(self, wave: NDArray[np.float32]) -> Tensor:
        """(1, bands, frames) of the whole window, whatever there is of speech in it."""
        padded = torch.zeros(RATE * WINDOW_S)
        padded[: len(wave)] = torch.from_numpy(wave[: len(padded)])
        power = torch.stft(padded, FFT, HOP, window=torch.hann_window(FFT), return_complex=True)[:, :-1].abs() ** 2
        decibels = (self._bank @ power).clamp(min=1e-10).log10()
        return ((decibels.clamp(min=float(decibels.max()) - 8.0) + 4.0) / 4.0)[None]
