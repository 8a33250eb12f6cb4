"""Where somebody speaks, in recordings of which that is known."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest
from numpy.typing import NDArray

from app.stream.speech import Speech, find_speech, is_audible, levels_of
from models.audio import decode
from tests.fake_encoder import tone

RATE = 16_000
Samples = NDArray[np.float32]


def recording(*parts: NDArray[np.float64] | Samples, noise_db: float | None = None) -> Samples:
    samples = np.concatenate([np.zeros(0), *parts])
    if noise_db is not None:
        samples += np.random.default_rng(0).standard_normal(len(samples)) * 10 ** (noise_db / 20)
    return samples.astype(np.float32)


def quiet(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def found(samples: Samples) -> Speech | None:
    return find_speech(levels_of(samples))


@pytest.fixture(scope="module")
def utterance() -> Samples:
    return decode((files("app") / "utterance.flac").read_bytes()).samples


@pytest.mark.parametrize("noise_db", [None, -60.0, -45.0, -35.0])
@pytest.mark.parametrize("seconds_before", [0.0, 0.5, 3.0])
def test_a_voice_between_silences(utterance: Samples, seconds_before: float, noise_db: float | None) -> None:
    heard = found(recording(quiet(seconds_before), utterance, quiet(1.5), noise_db=noise_db))

    alone = found(utterance) or Speech(0, len(utterance) / RATE)
    assert heard is not None
    assert heard.start == pytest.approx(seconds_before + alone.start, abs=0.35)
    assert heard.end == pytest.approx(seconds_before + alone.end, abs=0.35)


@pytest.mark.parametrize(
    "samples",
    [
        recording(),
        recording(quiet(0.01)),
        recording(quiet(5)),
        recording(quiet(2), noise_db=-30.0),
        recording(tone("dog", 2.0)),
        recording(quiet(1), tone("dog", 0.02), quiet(1)),
        recording(quiet(1), tone("dog", 1.0) * 1e-4, quiet(1)),
    ],
    ids=["nothing", "less than a frame", "silence", "noise", "a steady tone", "a click", "something very faint"],
)
def test_nothing_stands_out(samples: Samples) -> None:
    assert found(samples) is None


def test_a_pause_within_a_phrase_is_part_of_it() -> None:
    heard = found(recording(quiet(0.5), tone("dog", 0.5), quiet(0.7), tone("cat", 0.5), quiet(1.0)))

    assert heard is not None
    assert [heard.start, heard.end] == pytest.approx([0.5, 2.2], abs=0.03)


def test_soft_speech_after_loud_speech_without_a_pause_is_no_silence() -> None:
    heard = found(recording(tone("dog", 4.0), tone("cat", 1.5) * 0.3, quiet(0.2)))

    assert heard is None or heard.end > 5.0


def test_what_is_kept_is_400_ms_more_on_both_sides_where_there_is_so_much() -> None:
    assert Speech(1.0, 2.0).padded(5.0) == Speech(0.6, 2.4)
    assert Speech(0.1, 2.0).padded(2.1) == Speech(0.0, 2.1)


def test_a_steady_tone_is_audible_and_silence_is_not() -> None:
    assert is_audible(levels_of(recording(tone("dog", 0.5))))
    assert not is_audible(levels_of(recording(quiet(0.5))))
    assert not is_audible(levels_of(recording()))
