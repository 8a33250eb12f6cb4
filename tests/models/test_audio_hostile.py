"""Files made to break the decoder, to cost it much, or to make it do something else than decode.

`HOSTILE_FILES=100000` in the environment mutates that many files in place of the default.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.audio import decode
from models.errors import AudioError, AudioTooLong, UndecodableAudio
from tests.audio_files import KINDS, encode, tone, wav_header
from tests.hostile_files import BOMBS, mutate
from tests.processor import ROUNDS, within

MUTATIONS = int(os.environ.get("HOSTILE_FILES", "3000"))
SHARES = 8
ROOT = Path(__file__).parents[2]


def assert_refused(data: bytes, within_s: float, error: type[AudioError], match: str | None = None) -> None:
    def refuse() -> None:
        with pytest.raises(error, match=match):
            decode(data)

    within(within_s, refuse)


def speech_like(seconds: float, rate: int, channels: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(11)
    return tone(seconds, rate, channels=channels) + rng.normal(0, 0.1, (channels, round(seconds * rate)))


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    """One of every kind; long enough for more than one page of Ogg."""
    return [
        encode(speech_like(1.2 if how.container == "ogg" else 0.4, rate, channels), rate, kind)
        for kind, how in KINDS.items()
        for rate in how.rates
        for channels in how.channels
    ]


def is_sound_or_refused(data: bytes) -> bool:
    """Whether the bytes give what `Waveform` promises, or an AudioError with a message; other errors pass through."""
    try:
        wave = decode(data)
    except AudioError as error:
        return bool(str(error))
    samples = wave.samples
    return bool(
        samples.dtype == np.float32
        and np.isfinite(samples).all()
        and np.abs(samples).max() <= 1.0
        and 0.09 < wave.seconds < 30.1
        and wave.format in {how.sniffed for how in KINDS.values()}
    )


@pytest.mark.parametrize("seed", range(SHARES))
def test_mutated_files_of_every_kind_give_sound_or_a_typed_error_in_bounded_time(seed: int, files: list[bytes]) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(MUTATIONS // SHARES):
        data = mutate(files[rng.integers(len(files))], rng)
        assert within(1.0, partial(is_sound_or_refused, data))


@given(data=st.binary(max_size=2_000), kept=st.integers(1, 2_000), which=st.integers(0))
@settings(max_examples=300, deadline=None, database=None, derandomize=True)
def test_anything_after_a_good_start_gives_sound_or_a_typed_error(
    files: list[bytes], data: bytes, kept: int, which: int
) -> None:
    assert is_sound_or_refused(files[which % len(files)][:kept] + data)


def test_random_bytes_are_refused_quickly() -> None:
    assert_refused(np.random.default_rng(5).bytes(10 << 20), 2.0, UndecodableAudio)


@pytest.mark.parametrize("kind", ["flac-16", "ogg-opus", "webm-live", "m4a", "mp3", "wav-u8"])
def test_minutes_of_silence_cost_what_the_allowed_seconds_cost(kind: str) -> None:
    minutes = encode(np.zeros(300 * 8_000), 8_000, kind)
    assert_refused(minutes, 0.5, AudioTooLong, "longer than the 30 s")


@pytest.mark.parametrize("channels", [0, 33, 255, 65_535])
@pytest.mark.parametrize("rate", [0, 1, 999, 16_000, 384_001, 2**31 - 1, 2**32 - 1])
def test_channels_and_rates_that_nobody_has_are_refused(channels: int, rate: int) -> None:
    sound = np.random.default_rng(1).bytes(1 << 18)
    header = wav_header(codec=1, channels=channels, rate=rate, bits=16, data_size=len(sound))
    assert_refused(header + sound, 1.0, AudioError)


def test_a_sample_rate_that_changes_all_the_time_is_refused() -> None:
    pieces = [encode(tone(0.05, rate), rate, "aac") for rate in (44_100, 48_000)]
    assert_refused(b"".join(pieces) * 100, 2.0, UndecodableAudio, "changes more than 100 times")


PLAYLISTS = {
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=audio {port} RTP/AVP 0\na=rtpmap:0 PCMU/8000\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n",
    "hls of a local file": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{local}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{local}'\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT9S"><Period><AdaptationSet mimeType="audio/mp4"><Representation id="1" '
    'bandwidth="1"><BaseURL>http://127.0.0.1:{port}/</BaseURL></Representation></AdaptationSet></Period></MPD>',
}


@pytest.mark.parametrize("playlist", PLAYLISTS.values(), ids=PLAYLISTS)
def test_a_list_of_other_places_is_refused_at_once_and_nothing_is_opened(playlist: str, tmp_path: Path) -> None:
    local = tmp_path / "secret.wav"
    local.write_bytes(encode(tone(1.0, 16_000), 16_000, "wav-16"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        text = playlist.format(port=server.getsockname()[1], local=local)
        # An RTP session would be waited for, for seconds, each time.
        assert any(refusal_s(text.encode()) < 1.0 for _ in range(10))
        with pytest.raises(BlockingIOError):
            server.accept()


def refusal_s(playlist: bytes) -> float:
    start = time.monotonic()
    with pytest.raises(UndecodableAudio, match="no readable audio file"):
        decode(playlist)
    return time.monotonic() - start


# Small files that ask for a lot of memory or time: none may take 200 MB, or a second.
# In a process of its own, because the peak of a process's memory never falls again.
MEASURE = """
import pathlib, resource, sys, time
from models.audio import decode
from models.errors import AudioError
from tests.audio_files import encode, tone
decode(encode(tone(1.0, 44_100), 44_100, "m4a"))
data = pathlib.Path(sys.argv[1]).read_bytes()
before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
try:
    decode(data)
except AudioError:
    pass
print(time.process_time() - start, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.parametrize("bomb", BOMBS)
def test_small_files_that_ask_for_much_get_little(bomb: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[bomb]())
    command = [sys.executable, "-c", MEASURE, str(path)]
    assert any(seconds < 1.0 and megabytes < 200 for seconds, megabytes in (measured(command) for _ in range(ROUNDS)))


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds of processor time, and MB."""
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    seconds, megabytes = map(float, done.stdout.split())
    return seconds, megabytes
