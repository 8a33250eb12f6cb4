"""Augmentation of waveforms."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from models.audio import SAMPLE_RATE
from tests.processor import within
from tests.training.fake_voices import Wave, tone
from training.nano.augment import (
    SILENCE_S,
    SPEED_RANGE,
    STRETCH_RANGE,
    WINDOW,
    _add_noise,
    _band_limits,
    _coloured_noise,
    _distort,
    _equaliser,
    _filter,
    _resample,
    _room,
    _surround_with_silence,
    augment,
)

LOUDEST = 200.0  # of a wave with peak 1, after 20 dB of equaliser and a room
SEEDS = range(40)


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def speech(seconds: float = 0.7) -> Wave:
    """Noise that comes and goes, peak 1."""
    noise = generator(0).standard_normal(round(seconds * SAMPLE_RATE))
    wave = noise * np.sin(np.linspace(0, 9, len(noise))) ** 2
    return np.asarray(wave / np.abs(wave).max(), np.float32)


@pytest.mark.parametrize("seed", SEEDS)
def test_it_stays_finite_bounded_and_audible(seed: int) -> None:
    wave = augment(speech(), generator(seed), tone("babble", 0.3))

    assert wave.dtype == np.float32
    assert np.isfinite(wave).all()
    assert 1e-2 < np.abs(wave).max() < LOUDEST


@pytest.mark.parametrize("samples", [1, 2, 3, 10, 100, 400])
def test_the_shortest_utterances_survive_it(samples: int) -> None:
    for seed in SEEDS:
        wave = augment(np.ones(samples, np.float32), generator(seed), tone("babble", 0.3))

        assert len(wave) >= 1
        assert np.isfinite(wave).all()


def test_silence_in_one_or_both_is_no_division_by_nothing() -> None:
    silence = np.zeros(8_000, np.float32)
    for seed in range(200):
        for wave, babble in ((silence, speech()), (speech(), silence), (silence, silence)):
            assert np.isfinite(augment(wave, generator(seed), babble)).all()


def test_the_same_seed_gives_the_same_and_another_seed_another() -> None:
    wave, babble = speech(), tone("babble", 0.3)
    first, again, other = (augment(wave, generator(seed), babble) for seed in (5, 5, 6))

    assert np.array_equal(first, again)
    assert len(first) != len(other) or not np.array_equal(first, other)


def test_the_wave_and_the_babble_stay_as_they_are() -> None:
    wave, babble = speech(), tone("babble", 0.3)
    wave.flags.writeable = babble.flags.writeable = False
    for seed in SEEDS:
        augment(wave, generator(seed), babble)


def test_the_length_changes_by_tempo_speed_and_silence_only() -> None:
    wave = speech()
    lengths = [len(augment(wave, generator(seed))) for seed in range(100)]
    slowest, fastest = SPEED_RANGE

    assert min(lengths) >= len(wave) * STRETCH_RANGE[0] / fastest - WINDOW
    assert max(lengths) <= len(wave) * STRETCH_RANGE[1] / slowest + WINDOW + 2 * SILENCE_S * SAMPLE_RATE
    assert len(set(lengths)) > 90


def test_playing_faster_raises_the_pitch() -> None:
    wave = tone("pitch", 1.0)

    def pitch(of: Wave) -> float:
        return float(np.argmax(np.abs(np.fft.rfft(of, 2 * SAMPLE_RATE))) / 2)

    assert pitch(_resample(wave, 1.25)) == pytest.approx(1.25 * pitch(wave), rel=0.01)
    assert len(_resample(wave, 1.25)) == pytest.approx(len(wave) / 1.25, abs=1)


def test_silence_is_put_around_and_nothing_else() -> None:
    wave = speech()
    surrounded = _surround_with_silence(wave, generator(1))
    start = int(np.flatnonzero(surrounded)[0]) - int(np.flatnonzero(wave)[0])

    assert np.array_equal(surrounded[start : start + len(wave)], wave)
    assert not surrounded[:start].any()
    assert not surrounded[start + len(wave) :].any()


FREQUENCIES = np.linspace(0, SAMPLE_RATE / 2, 1_025, dtype=np.float32)


@pytest.mark.parametrize("seed", range(10))
def test_the_equaliser_is_smooth_and_has_its_limits(seed: int) -> None:
    gains = 20 * np.log10(_equaliser(FREQUENCIES, generator(seed)))

    assert np.abs(gains).max() <= 20.001
    assert np.ptp(gains) > 1
    assert np.abs(np.diff(gains[20:])).max() < 2


def test_band_limits_take_from_the_ends_and_add_nothing() -> None:
    gains = np.stack([_band_limits(FREQUENCIES, generator(seed)) for seed in range(50)])
    middle = (FREQUENCIES > 800) & (FREQUENCIES < 3_000)

    assert gains.max() <= 1
    assert gains[:, middle].min() > 0.9
    assert np.median(gains[:, 1]) < 0.01
    assert np.median(gains[:, -2]) < 0.01


def test_a_room_answers_after_the_direct_sound() -> None:
    for seed in range(20):
        room = _room(generator(seed))
        tail = room[1:]

        assert room[0] == 1
        assert 0.1 < np.sqrt(np.sum(tail**2)) < 1.4
        assert np.abs(tail[: len(tail) // 4]).max() > np.abs(tail[-len(tail) // 4 :]).max()


@pytest.mark.parametrize("step", [_filter, lambda wave, rng: _add_noise(wave, rng, None), _distort])
def test_each_step_changes_some_waves_and_keeps_their_length(
    step: Callable[[Wave, np.random.Generator], Wave],
) -> None:
    wave = speech()
    changed = [step(wave, generator(seed)) for seed in range(100)]

    assert {len(one) for one in changed} == {len(wave)}
    assert 0 < sum(not np.allclose(one, wave, atol=1e-4) for one in changed) <= 100


def test_noise_is_as_loud_as_it_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.nano.augment.MIN_SNR_DB", 10.0)
    monkeypatch.setattr("training.nano.augment.MAX_SNR_DB", 10.0)
    wave = speech()
    noises = [_add_noise(wave, generator(seed), tone("babble", 0.3)) - wave for seed in SEEDS]
    ratios = [10 * np.log10(np.sum(wave**2) / np.sum(noise**2)) for noise in noises if noise.any()]

    assert len(ratios) > len(SEEDS) / 2
    np.testing.assert_allclose(ratios, 10, atol=0.1)


def test_coloured_noise_has_no_offset_and_mostly_falls() -> None:
    noises = np.stack([_coloured_noise(8_192, generator(seed)) for seed in range(30)])
    power = np.abs(np.fft.rfft(noises, axis=1)) ** 2

    np.testing.assert_allclose(noises.mean(1), 0, atol=1e-4)
    assert np.median(power[:, 1:100].mean(1) / power[:, -1_000:].mean(1)) > 10


def test_it_costs_less_than_a_tenth_of_what_it_lasts() -> None:
    wave, rng = speech(1.0), generator(0)
    augment(wave, rng)
    within(0.1 * 20 * 1.0, lambda: [augment(wave, rng, wave) for _ in range(20)])
