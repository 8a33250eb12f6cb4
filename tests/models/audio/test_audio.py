from __future__ import annotations

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE, decode
from models.errors import (
    AudioTooLong,
    AudioTooShort,
    NoAudioStream,
    NonFiniteAudio,
    SilentAudio,
    UndecodableAudio,
)
from tests.audio_files import KINDS, encode, film_without_sound, tone, wav_header

EVERY_FILE = [(kind, rate, channels) for kind, how in KINDS.items() for rate in how.rates for channels in how.channels]
LOSSLESS = [kind for kind, how in KINDS.items() if how.lossless]
PADDING_S = 0.1  # a codec may put this much silence around the sound


def loudness_of(samples: NDArray[np.float32], hertz: float) -> float:
    """The amplitude of a sine of `hertz` in the middle half of the samples."""
    middle = samples[len(samples) // 4 : 3 * len(samples) // 4]
    phase = np.exp(-2j * np.pi * hertz * np.arange(len(middle)) / SAMPLE_RATE)
    return float(2 * abs(np.mean(middle * phase)))


@pytest.mark.parametrize(("kind", "rate", "channels"), EVERY_FILE)
def test_every_kind_of_file_becomes_the_sound_that_was_put_in(kind: str, rate: int, channels: int) -> None:
    wave = decode(encode(tone(1.0, rate, hertz=440.0, channels=channels), rate, kind))
    assert wave.format == KINDS[kind].sniffed
    assert not wave.truncated
    assert wave.samples.dtype == np.float32
    assert wave.samples.ndim == 1
    assert 1.0 <= wave.seconds <= 1.0 + PADDING_S
    assert loudness_of(wave.samples, 440.0) == pytest.approx(0.5, abs=0.03)


def test_eight_channels_in_eight_planes_are_read() -> None:
    """PyAV's own arrays of such frames read beyond their memory."""
    channels = np.stack([tone(1.0, 48_000, level=level / 10) for level in range(8)])
    assert loudness_of(decode(encode(channels, 48_000, "ogg-opus")).samples, 440.0) == pytest.approx(0.35, abs=0.05)


@pytest.mark.parametrize("kind", LOSSLESS)
def test_a_lossless_file_is_exactly_the_mean_of_its_channels_resampled(kind: str) -> None:
    channels = np.random.default_rng(7).uniform(-0.5, 0.5, (KINDS[kind].channels[-1], 44_100))
    wave = decode(encode(channels, 44_100, kind))
    expected = soxr.resample(channels.mean(axis=0).astype(np.float32), 44_100, SAMPLE_RATE, quality="HQ")
    steps = {"u8": 2.0**-7, "s16": 2.0**-15, "s16p": 2.0**-15}
    np.testing.assert_allclose(wave.samples, expected, atol=2 * steps.get(KINDS[kind].sample_format, 2.0**-22))


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 32_000, 48_000, 96_000, 192_000, 384_000])
def test_any_rate_becomes_16_kilohertz(rate: int) -> None:
    wave = decode(encode(tone(0.5, rate, hertz=1_000.0), rate, "wav-16"))
    assert wave.seconds == pytest.approx(0.5, abs=0.001)
    assert loudness_of(wave.samples, 1_000.0) == pytest.approx(0.5, abs=0.001)


def test_what_16_kilohertz_cannot_carry_does_not_fold_back() -> None:
    wave = decode(encode(tone(0.5, 48_000, hertz=10_000.0) + tone(0.5, 48_000, level=0.1), 48_000, "wav-float"))
    assert loudness_of(wave.samples, 6_000.0) < 1e-4


def test_a_file_already_at_16_kilohertz_keeps_its_samples() -> None:
    samples = np.random.default_rng(3).integers(-32_768, 32_768, 8_000) / 32_768
    assert np.array_equal(decode(encode(samples, 16_000, "wav-16")).samples, samples.astype(np.float32))


def test_a_rate_and_channels_that_change_on_the_way_are_followed() -> None:
    pieces = [encode(tone(1.0, 44_100, channels=2), 44_100, "aac"), encode(tone(1.0, 16_000), 16_000, "aac")]
    wave = decode(b"".join(pieces))
    alone = [decode(piece).seconds for piece in pieces]
    assert wave.seconds == pytest.approx(sum(alone), abs=0.002)
    assert loudness_of(wave.samples[:SAMPLE_RATE], 440.0) == pytest.approx(0.5, abs=0.05)
    assert loudness_of(wave.samples[-SAMPLE_RATE:], 440.0) == pytest.approx(0.5, abs=0.05)


def test_samples_beyond_full_scale_are_clipped() -> None:
    wave = decode(encode(tone(0.5, 44_100, level=40.0), 44_100, "wav-float"))
    assert np.abs(wave.samples).max() == 1.0


def test_the_largest_floats_are_clipped_too() -> None:
    data = np.full(44_100, np.finfo(np.float32).max).astype("<f4").tobytes()
    wave = decode(wav_header(codec=3, channels=1, rate=44_100, bits=32, data_size=len(data)) + data)
    assert np.abs(wave.samples).max() <= 1.0


@pytest.mark.parametrize(("kind", "value"), [("wav-float", np.nan), ("wav-float", np.inf), ("wav-double", -np.inf)])
def test_samples_that_are_no_numbers_are_refused(kind: str, value: float) -> None:
    samples = tone(1.0, 16_000)
    samples[8_000] = value
    with pytest.raises(NonFiniteAudio, match="infinite or no numbers"):
        decode(encode(samples, 16_000, kind))


def test_doubles_that_overflow_in_the_mean_are_refused() -> None:
    channels = np.full((2, 16_000), np.finfo(np.float64).max)
    with pytest.raises(NonFiniteAudio):
        decode(encode(channels, 16_000, "wav-double"))


@pytest.mark.parametrize(("kind", "rate", "channels"), EVERY_FILE)
def test_digital_silence_is_refused_in_every_kind_of_file(kind: str, rate: int, channels: int) -> None:
    with pytest.raises(SilentAudio, match=r"silence in these 1\.\d s"):
        decode(encode(np.zeros((channels, rate)), rate, kind))


def test_the_quietest_sound_of_16_bits_is_no_silence() -> None:
    assert decode(encode(tone(0.5, 16_000, level=2.0**-15), 16_000, "wav-16")).seconds == 0.5


@pytest.mark.parametrize("samples", [0, 1, 1_599])
def test_less_than_a_tenth_of_a_second_is_refused(samples: int) -> None:
    data = tone(1.0, 16_000)[:samples]
    with pytest.raises(AudioTooShort, match=f"{samples / 16_000:.3f} s long; at least 0.1 s"):
        decode(encode(data, 16_000, "wav-16") if samples else wav_header(1, 1, 16_000, 16, 0))


def test_a_tenth_of_a_second_is_enough() -> None:
    assert decode(encode(tone(0.1, 44_100), 44_100, "wav-16")).seconds == pytest.approx(0.1)


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
def test_exactly_the_allowed_seconds_pass_and_one_sample_more_does_not(rate: int) -> None:
    samples = tone(3.0, rate)
    assert decode(encode(samples, rate, "wav-16"), max_seconds=3.0).seconds == 3.0
    with pytest.raises(AudioTooLong, match="longer than the 3 s that are allowed; it says it is 3"):
        decode(encode(np.append(samples, 0.1), rate, "wav-16"), max_seconds=3.0)


@pytest.mark.parametrize(("kind", "rate"), [(kind, how.rates[0]) for kind, how in KINDS.items()])
def test_too_long_a_sound_is_refused_in_every_kind_of_file(kind: str, rate: int) -> None:
    with pytest.raises(AudioTooLong):
        decode(encode(tone(1.5, rate, channels=KINDS[kind].channels[0]), rate, kind), max_seconds=1.0)


@pytest.mark.parametrize("data", [b"", b"\0", b"a dog", bytes(5_000), b"\x89PNG\r\n\x1a\n" + bytes(500)])
def test_what_is_no_audio_file_is_refused(data: bytes) -> None:
    with pytest.raises(UndecodableAudio, match=f"these {len(data)} bytes are no readable audio file"):
        decode(data)


def test_a_film_without_sound_is_refused() -> None:
    with pytest.raises(NoAudioStream):
        decode(film_without_sound())


# An m4a with its index at the end is nothing without it; a live recording has no end that could be missed.
BREAKABLE = sorted(set(KINDS) - {"m4a", "m4a-alac", "webm-live"})


@pytest.mark.parametrize("kind", BREAKABLE)
def test_a_file_that_breaks_off_gives_what_was_there_and_says_so(kind: str) -> None:
    rate, channels = KINDS[kind].rates[0], KINDS[kind].channels[0]
    whole = encode(tone(5.0, rate, channels=channels), rate, kind)
    wave = decode(whole[: len(whole) * 6 // 10])
    assert wave.truncated
    assert 1.5 < wave.seconds < 3.5
    assert loudness_of(wave.samples, 440.0) == pytest.approx(0.5, abs=0.05)


def test_a_recording_of_unknown_length_that_breaks_off_gives_what_was_there() -> None:
    whole = encode(tone(5.0, 48_000), 48_000, "webm-live")
    assert 2.5 < decode(whole[: len(whole) * 6 // 10]).seconds < 3.5


@pytest.mark.parametrize("kind", ["m4a", "m4a-alac"])
def test_an_mp4_file_that_breaks_off_before_its_index_is_refused(kind: str) -> None:
    whole = encode(tone(2.0, 44_100), 44_100, kind)
    with pytest.raises(UndecodableAudio):
        decode(whole[: len(whole) * 6 // 10])


def test_damage_in_the_middle_costs_only_what_is_damaged() -> None:
    whole = bytearray(encode(tone(3.0, 44_100), 44_100, "flac-24"))
    middle = len(whole) // 2
    whole[middle : middle + 5_000] = bytes(5_000)
    wave = decode(bytes(whole))
    assert wave.truncated
    assert 2.5 < wave.seconds < 3.0


@pytest.mark.parametrize("declared", [0, 0x7FFF_FFFF, 0xFFFF_FFFF])
def test_a_wav_written_into_a_pipe_does_not_know_its_length_and_is_whole(declared: int) -> None:
    data = (tone(1.0, 16_000) * 32_767).astype("<i2").tobytes()
    wave = decode(wav_header(codec=1, channels=1, rate=16_000, bits=16, data_size=declared) + data)
    assert wave.seconds == 1.0
    assert not wave.truncated


def test_an_mp3_that_only_guesses_its_length_is_whole() -> None:
    whole = encode(tone(2.0, 44_100), 44_100, "mp3")
    frames = whole[whole.find(b"\xff\xfb", whole.find(b"Xing" if b"Xing" in whole else b"Info")) :]
    assert not decode(frames).truncated


def test_pictures_inside_a_song_are_passed_over() -> None:
    picture = b"\0image/jpeg\0\3\0" + bytes(3_000_000)
    tag = b"APIC" + synchsafe(len(picture)) + b"\0\0" + picture
    song = encode(tone(1.0, 44_100), 44_100, "mp3")
    wave = decode(b"ID3\4\0\0" + synchsafe(len(tag)) + tag + song[song.find(b"\xff\xfb") :])
    assert wave.format == "mp3"
    assert 1.0 <= wave.seconds <= 1.0 + PADDING_S
    assert not wave.truncated


def synchsafe(value: int) -> bytes:
    return bytes(value >> shift & 0x7F for shift in (21, 14, 7, 0))
