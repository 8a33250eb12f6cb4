"""Audio that comes piece by piece is the same as in one piece."""

from __future__ import annotations

import numpy as np
import pytest

from app.stream.sources import Container, Pcm, source_of
from models.decoders import DirectDecoder
from models.errors import AudioTooLong, UndecodableAudio
from tests.app.stream.talk import pcm
from tests.fake_encoder import heard, spoken


@pytest.mark.parametrize("size", [1, 3, 1000, 100_000])
def test_samples_in_pieces_of_any_size(size: int) -> None:
    data, source = pcm("dog", 0.25), Pcm(16_000, 30.0)
    for at in range(0, len(data), size):
        source.take(data[at : at + size], last=False)

    samples = source.take(b"", last=True)
    assert np.array_equal(samples, np.frombuffer(data, "<i2").astype(np.float32) / 32768)


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 48_000])
def test_other_rates_are_brought_to_16_khz(rate: int) -> None:
    samples = 0.5 * np.sin(2 * np.pi * 600 * np.arange(rate) / rate)
    source = Pcm(rate, 30.0)
    source.take((samples[: rate // 2] * 32767).astype("<i2").tobytes(), last=False)
    whole = source.take((samples[rate // 2 :] * 32767).astype("<i2").tobytes(), last=True)

    assert len(whole) == pytest.approx(16_000, abs=2)
    assert heard(whole) == "cat"


def test_no_more_than_the_longest_is_kept() -> None:
    source = Pcm(16_000, 0.5)
    assert source.most_bytes == 16_000
    assert len(source.take(pcm("dog", 1.0), last=False)) == 8000
    assert len(source.take(pcm("dog", 1.0), last=True)) == 8000


def test_a_file_is_heard_as_far_as_it_has_come() -> None:
    data, source = spoken("dog", 1.0), Container(30.0, DirectDecoder())
    assert len(source.take(data[:20], last=False)) == 0
    assert len(source.take(data[20:16_044], last=False)) == 8000
    assert len(source.take(b"", last=False)) == 8000
    assert len(source.take(data[16_044:], last=True)) == 16_000


def test_a_file_that_is_none_is_refused_at_its_end() -> None:
    source = Container(30.0, DirectDecoder())
    assert len(source.take(b"no audio at all", last=False)) == 0
    with pytest.raises(UndecodableAudio):
        source.take(b"", last=True)


def test_a_file_is_cut_at_the_longest_and_refused_when_it_is_much_longer() -> None:
    assert len(Container(0.5, DirectDecoder()).take(spoken("dog", 1.0), last=True)) == 8000
    with pytest.raises(AudioTooLong):
        Container(0.5, DirectDecoder()).take(spoken("dog", 35.0), last=False)


def test_which_source() -> None:
    assert isinstance(source_of("pcm", 8000, 1.0, DirectDecoder()), Pcm)
    assert isinstance(source_of("container", 8000, 1.0, DirectDecoder()), Container)
