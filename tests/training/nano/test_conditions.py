"""The same recordings as they would be heard elsewhere."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from models.audio import SAMPLE_RATE
from tests.training.fake_voices import Wave
from training.nano.conditions import CONDITIONS, ROOM_DECAY_S, in_a_room, in_noise, over_the_telephone


def hum(hertz: float, seconds: float = 0.5) -> Wave:
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def level(wave: Wave) -> float:
    return float(np.sqrt(np.mean(wave**2)))


@pytest.mark.parametrize("change", CONDITIONS.values())
def test_nothing_is_random_and_nothing_is_changed_in_place(change: Callable[[Wave], Wave]) -> None:
    wave = hum(440.0)
    wave.flags.writeable = False

    assert np.array_equal(change(wave), change(wave))
    assert change(wave).dtype == np.float32
    assert np.isfinite(change(wave)).all()


@pytest.mark.parametrize(("hertz", "kept"), [(100.0, 0.0), (1_000.0, 1.0), (3_000.0, 1.0), (5_000.0, 0.0)])
def test_a_telephone_has_a_band(hertz: float, kept: float) -> None:
    assert level(over_the_telephone(hum(hertz))) / level(hum(hertz)) == pytest.approx(kept, abs=0.02)


def test_noise_is_ten_decibels_softer() -> None:
    wave = hum(440.0)

    assert 20 * np.log10(level(wave) / level(in_noise(wave) - wave)) == pytest.approx(10, abs=0.2)


def test_a_room_goes_on_after_the_speech() -> None:
    wave = hum(440.0)
    heard = in_a_room(wave)
    tail = heard[len(wave) :]

    assert len(tail) == int(ROOM_DECAY_S * SAMPLE_RATE)
    assert level(tail[:1_000]) > 20 * level(tail[-1_000:]) > 0
