"""Augmentation of waveforms, drawn anew each time: synthetic voices are clean and people are not.

Everything linear (equaliser, band limits, room) is one multiplication in the frequency domain, which is what makes it
cheap enough to be done for every utterance of every batch.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from models import compat
from models.audio import SAMPLE_RATE

compat.prepare()

import torchaudio.functional as AF  # noqa: E402  the line above makes it importable

Wave = NDArray[np.float32]

SPEED_RANGE = (0.74, 1.35)
STRETCH_RANGE = (0.7, 1.9)
SILENCE_S = 0.25
WINDOW = 512
MAX_SNR_DB, MIN_SNR_DB = 40.0, 4.0
ROOM_S = 0.5


def augment(wave: Wave, rng: np.random.Generator, babble: Wave | None = None) -> Wave:
    """One utterance (16 kHz, peak 1) as another person in another place might be heard. `babble` is other speech."""
    wave = _stretch(wave, rng)
    wave = _resample(wave, _speed(rng))
    wave = _surround_with_silence(wave, rng)
    wave = _filter(wave, rng)
    wave = _add_noise(wave, rng, babble)
    return _distort(wave, rng)


def _stretch(wave: Wave, rng: np.random.Generator) -> Wave:
    """Slower or faster at the same pitch: people say single words with far more care than machines, and numbers with
    less."""
    if rng.random() < 0.6 or len(wave) < 2 * WINDOW:
        return wave
    window, hop = torch.hann_window(WINDOW), WINDOW // 4
    spectrum = torch.stft(torch.tensor(wave), WINDOW, hop, window=window, return_complex=True)
    advance = torch.linspace(0, torch.pi * hop, len(spectrum))[:, None]
    slow = AF.phase_vocoder(spectrum[None], 1 / float(np.exp(rng.uniform(*np.log(STRETCH_RANGE)))), advance)
    return np.asarray(torch.istft(slow[0], WINDOW, hop, window=window).numpy(), np.float32)


def _speed(rng: np.random.Generator) -> float:
    """Playing faster raises pitch and formants together: a shorter vocal tract."""
    return 1.0 if rng.random() < 0.15 else float(np.exp(rng.uniform(*np.log(SPEED_RANGE))))


def _resample(wave: Wave, factor: float) -> Wave:
    positions = np.arange(0, max(len(wave) - 1, 1), factor)
    return np.asarray(np.interp(positions, np.arange(len(wave)), wave), np.float32)


def _surround_with_silence(wave: Wave, rng: np.random.Generator) -> Wave:
    before, after = rng.integers(0, int(SILENCE_S * SAMPLE_RATE), 2)
    return np.pad(wave, (before, after))


def _filter(wave: Wave, rng: np.random.Generator) -> Wave:
    size = 1 << (len(wave) + int(ROOM_S * SAMPLE_RATE) - 1).bit_length()
    spectrum = np.fft.rfft(wave, size)
    frequencies = np.linspace(0, SAMPLE_RATE / 2, len(spectrum), dtype=np.float32)
    if rng.random() < 0.7:
        spectrum *= _equaliser(frequencies, rng)
    if rng.random() < 0.5:
        spectrum *= _band_limits(frequencies, rng)
    if rng.random() < 0.45:
        spectrum *= np.fft.rfft(_room(rng), size)
    return np.fft.irfft(spectrum, size)[: len(wave)].astype(np.float32)


def _equaliser(frequencies: Wave, rng: np.random.Generator) -> Wave:
    """A smooth random curve of up to +-20 dB with a random tilt."""
    octaves = np.log2(np.maximum(frequencies, 60.0) / 60.0)
    knots = np.linspace(0, octaves[-1], 7)
    gains = rng.normal(0, 4.0, len(knots)) + rng.normal(0, 1.5) * (knots - knots.mean())
    return np.asarray(10 ** (np.clip(np.interp(octaves, knots, gains), -20, 20) / 20), np.float32)


def _band_limits(frequencies: Wave, rng: np.random.Generator) -> Wave:
    """Small loudspeakers, telephones, low sampling rates."""
    if rng.random() < 0.4:
        return _telephone(frequencies, rng)
    low = rng.uniform(60, 400) if rng.random() < 0.7 else 0.0
    high = rng.choice([3400.0, 3800.0, 4000.0, 5500.0, 7000.0]) if rng.random() < 0.75 else 8000.0
    gain = np.ones_like(frequencies)
    if low:
        gain /= np.sqrt(1 + (low / np.maximum(frequencies, 1.0)) ** 8)
    if high < 8000.0:
        gain /= np.sqrt(1 + (frequencies / high) ** 40)
    return gain


def _telephone(frequencies: Wave, rng: np.random.Generator) -> Wave:
    low, high = rng.uniform(150, 400), rng.uniform(3000, 4000)
    return ((frequencies > low) & (frequencies < high)).astype(np.float32)


def _room(rng: np.random.Generator) -> Wave:
    """An impulse response: the direct sound and an exponentially decaying tail of noise."""
    decay_s = rng.uniform(0.05, 0.7)
    time = np.arange(int(min(decay_s, ROOM_S) * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.standard_normal(len(time)) * np.exp(-6.9 * time / decay_s)
    tail *= 10 ** (rng.uniform(-12, 3) / 20) / np.sqrt(np.sum(tail**2) + 1e-9)
    tail[: int(rng.uniform(0.001, 0.01) * SAMPLE_RATE)] = 0
    tail[0] = 1
    return tail.astype(np.float32)


def _add_noise(wave: Wave, rng: np.random.Generator, babble: Wave | None) -> Wave:
    if rng.random() < 0.25:
        return wave
    snr = torch.tensor([rng.uniform(MIN_SNR_DB, MAX_SNR_DB)], dtype=torch.float32)
    if babble is not None and rng.random() < 0.1:
        noise = np.resize(np.roll(babble, int(rng.integers(len(babble)))), len(wave)).astype(np.float32)
        snr = snr.clamp(min=10.0)
    else:
        noise = _coloured_noise(len(wave), rng)
    # A pause in the other speech has no level that could be set: it would come out as NaN.
    if not noise.any():
        return wave
    noisy = AF.add_noise(torch.from_numpy(wave)[None], torch.from_numpy(noise)[None], snr)
    return np.asarray(noisy[0].numpy(), np.float32)


def _coloured_noise(size: int, rng: np.random.Generator) -> Wave:
    """Noise whose spectrum falls by 0 to 9 dB an octave; often it is white, as that of cheap microphones."""
    slope = rng.uniform(0, 0.1) if rng.random() < 0.4 else rng.uniform(0, 1.5)
    padded = 1 << (size - 1).bit_length()
    spectrum = np.fft.rfft(rng.standard_normal(padded, dtype=np.float32))
    spectrum[1:] *= np.arange(1, len(spectrum), dtype=np.float32) ** -slope
    spectrum[0] = 0
    return np.fft.irfft(spectrum, padded)[:size].astype(np.float32)


def _distort(wave: Wave, rng: np.random.Generator) -> Wave:
    peak = float(np.abs(wave).max()) + 1e-9
    kind = rng.random()
    if kind < 0.05:
        limit = peak * rng.uniform(0.3, 0.8)
        return np.clip(wave, -limit, limit)
    if kind < 0.1:
        coded = AF.mu_law_encoding(torch.from_numpy(wave / peak), 256)
        return np.asarray(AF.mu_law_decoding(coded, 256).numpy(), np.float32)
    return wave
