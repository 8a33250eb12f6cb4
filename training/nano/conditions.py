"""The same recordings as they would be heard elsewhere: over a telephone, in noise, in a room. Nothing is random."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE

Wave = NDArray[np.float32]

PHONE_BAND_HZ = (300.0, 3400.0)
NOISE_SNR_DB = 10.0
ROOM_DECAY_S = 0.5
ROOM_DIRECT_TO_REVERBERANT_DB = 0.0


def over_the_telephone(wave: Wave) -> Wave:
    """Nothing below 300 Hz and above 3,400 Hz."""
    spectrum = np.fft.rfft(wave)
    frequencies = np.fft.rfftfreq(len(wave), 1 / SAMPLE_RATE)
    spectrum[(frequencies < PHONE_BAND_HZ[0]) | (frequencies > PHONE_BAND_HZ[1])] = 0
    return np.fft.irfft(spectrum, len(wave)).astype(np.float32)


def in_noise(wave: Wave) -> Wave:
    """White noise, 10 dB softer than the speech."""
    noise = _noise(len(wave))
    power = np.mean(wave**2) * 10 ** (-NOISE_SNR_DB / 10)
    return np.asarray(wave + noise * np.sqrt(power), np.float32)


def in_a_room(wave: Wave) -> Wave:
    """Reverberation of 0.5 s, as loud as the speech itself."""
    size = int(ROOM_DECAY_S * SAMPLE_RATE)
    tail = _noise(size) * 10 ** (-3 * np.arange(size) / size)
    tail *= 10 ** (-ROOM_DIRECT_TO_REVERBERANT_DB / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    padded = len(wave) + size
    spectrum = np.fft.rfft(wave, padded) * np.fft.rfft(tail, padded)
    return np.fft.irfft(spectrum, padded).astype(np.float32)


CONDITIONS: Mapping[str, Callable[[Wave], Wave]] = {
    "over the telephone": over_the_telephone,
    "in noise": in_noise,
    "in a room": in_a_room,
}


def _noise(size: int) -> NDArray[np.float64]:
    """Of mean power 1, the same each time."""
    return np.random.default_rng(0).standard_normal(size)
