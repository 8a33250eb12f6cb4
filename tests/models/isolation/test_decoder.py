"""Files decoded in other processes: the same comes out, and what breaks, breaks there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.audio import Waveform
from models.decoders import Decoder, DirectDecoder
from models.errors import AudioError, AudioTooLong, DecodingStopped, ImageError, NoDecoder, UndecodableImage
from models.isolation.decoder import MOST_FILES, IsolatedDecoder
from models.isolation.limits import Limits
from tests.audio_files import KINDS, encode, tone
from tests.hostile_files import mutate
from tests.image_files import drawings, saved
from tests.patience import WAIT_S, wait_until

ROOT = Path(__file__).resolve().parents[3]
ODD = ("-m", "tests.models.isolation.odd_worker")
SMALL = Limits(memory=256 << 20, cpu_s=1.0, wall_s=60.0)
IMPATIENT = Limits(wall_s=1.0)


@pytest.fixture(scope="module")
def isolated() -> Iterator[IsolatedDecoder]:
    """As the service has it."""
    decoder = IsolatedDecoder(2)
    yield decoder
    decoder.close()


@pytest.fixture(scope="module")
def odd() -> Iterator[IsolatedDecoder]:
    """One process with small limits, and files that need more."""
    decoder = IsolatedDecoder(1, limits=SMALL, program=ODD)
    yield decoder
    decoder.close()


@pytest.fixture(scope="module")
def recordings() -> dict[str, bytes]:
    return {
        kind: encode(tone(0.4, how.rates[0], channels=channels), how.rates[0], kind)
        for kind, how in KINDS.items()
        for channels in how.channels[:1]
    }


def outcome(decoder: Decoder, data: bytes) -> tuple[object, ...]:
    """All that can be told of the audio in a file, or of its refusal."""
    try:
        wave = decoder.audio(data)
    except AudioError as error:
        return type(error), str(error)
    return wave.samples.dtype, wave.samples.tobytes(), wave.format, wave.truncated


def seen(decoder: Decoder, data: bytes) -> tuple[object, ...]:
    """All that a model sees of an image, or the refusal."""
    try:
        image, format = decoder.image(data)
    except ImageError as error:
        return type(error), str(error)
    coloured = image if image.mode == "I;16" else image.convert("RGBA")
    return format, image.mode, image.size, image.tobytes(), image.has_transparency_data, coloured.tobytes()


def test_audio_of_every_kind_is_what_it_is_otherwise(isolated: Decoder, recordings: dict[str, bytes]) -> None:
    for kind, data in recordings.items():
        assert outcome(isolated, data) == outcome(DirectDecoder(), data), kind


def test_images_of_every_kind_are_what_they_are_otherwise(isolated: Decoder) -> None:
    good = drawings()
    cut = {f"{kind}, cut": data[: len(data) // 2] for kind, data in good.items()}
    for kind, data in {**good, **cut, "none": b"no image"}.items():
        assert seen(isolated, data) == seen(DirectDecoder(), data), kind


def test_damaged_audio_is_what_it_is_otherwise(isolated: Decoder, recordings: dict[str, bytes]) -> None:
    rng, files = np.random.default_rng(4), list(recordings.values())
    for _ in range(300):
        data = mutate(files[rng.integers(len(files))], rng)
        assert outcome(isolated, data) == outcome(DirectDecoder(), data)


def test_the_seconds_that_are_allowed_are_the_decoders_own() -> None:
    decoder = IsolatedDecoder(1, max_seconds=0.5)
    with pytest.raises(AudioTooLong, match=r"longer than the 0\.5 s"):
        decoder.audio(encode(tone(0.6, 16_000), 16_000, "wav-16"))
    decoder.close()


def test_many_at_one_time_get_each_their_own(isolated: Decoder) -> None:
    lengths = [0.1 + 0.01 * number for number in range(40)]
    files = [encode(tone(length, 16_000), 16_000, "wav-16") for length in lengths]
    with ThreadPoolExecutor(8) as pool:
        waves = list(pool.map(isolated.audio, files))

    assert [wave.seconds for wave in waves] == pytest.approx(lengths, abs=1e-4)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("CRASH", "crashed, with status -11"),
        ("EXIT", "crashed, with status 3"),
        ("BUG", "crashed, with status 1"),
        ("FILE", "crashed, with status"),
        ("NETWORK", "crashed, with status"),
        ("SPIN", "more processor time than is allowed"),
        ("MEMORY", "more memory than is allowed"),
        ("LONG", "its answer made no sense"),
        ("NOISE", "made no sense"),
    ],
)
def test_a_file_that_breaks_its_decoder_is_refused_and_the_next_one_decoded(
    odd: IsolatedDecoder, word: str, reason: str
) -> None:
    before = odd.pids

    with pytest.raises(DecodingStopped, match=reason) as refused:
        odd.audio(word.encode() + b" \xff")

    assert isinstance(refused.value, AudioError)
    assert odd.pids != before
    assert not Path(f"/proc/{before[0]}").exists()
    assert odd.audio(encode(tone(0.2, 16_000), 16_000, "wav-16")).seconds == pytest.approx(0.2)


def test_others_go_on_beside_a_file_that_hangs() -> None:
    decoder = IsolatedDecoder(2, limits=Limits(wall_s=WAIT_S), program=ODD)
    good = encode(tone(0.2, 16_000), 16_000, "wav-16")
    for _ in range(2):
        decoder.audio(good)
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(decoder.audio, b"SLEEP")
        waves = [decoder.audio(good) for _ in range(20)]
        assert not hanging.done()
        for pid in decoder.pids:
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(DecodingStopped):
            hanging.result(WAIT_S)
    decoder.close()

    assert [wave.seconds for wave in waves] == [pytest.approx(0.2)] * 20


def test_a_file_that_hangs_is_given_up_after_its_time() -> None:
    decoder = IsolatedDecoder(1, limits=IMPATIENT, program=ODD)
    with pytest.raises(DecodingStopped, match="longer than 1 s"):
        decoder.audio(b"SLEEP")
    decoder.close()


def test_a_process_that_ended_while_idle_is_nobodys_fault(odd: IsolatedDecoder) -> None:
    odd.audio(encode(tone(0.2, 16_000), 16_000, "wav-16"))
    os.kill(odd.pids[0], signal.SIGKILL)
    os.waitid(os.P_PID, odd.pids[0], os.WEXITED | os.WNOWAIT)

    assert odd.audio(encode(tone(0.2, 16_000), 16_000, "wav-16")).seconds == pytest.approx(0.2)


def test_an_image_needs_no_more_memory_than_is_allowed_either() -> None:
    decoder = IsolatedDecoder(1, limits=Limits(memory=32 << 20))
    with pytest.raises(UndecodableImage):
        decoder.image(saved(Image.new("RGB", (6000, 6000)), "PNG"))
    assert decoder.image(saved(Image.new("RGB", (60, 60)), "PNG"))[1] == "png"
    decoder.close()


def test_a_process_is_renewed_after_many_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.isolation.decoder.MOST_FILES", 3)
    decoder = IsolatedDecoder(1)
    first = decoder.pids
    for _ in range(3):
        assert decoder.image(saved(Image.new("L", (4, 4)), "PNG"))[1] == "png"
    assert decoder.pids != first
    decoder.close()

    assert MOST_FILES > 3


def test_it_knows_no_secret_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHCLIP_API_KEYS", "{}")
    decoder = IsolatedDecoder(1, program=ODD)
    wave: Waveform = decoder.audio(b"ENVIRONMENT")
    decoder.close()

    assert "PYTHONPATH" in wave.format
    assert "SPEECHCLIP" not in wave.format


def test_where_none_can_be_started_it_says_so() -> None:
    decoder = IsolatedDecoder(1, program=("-c", "raise SystemExit(1)"))
    with pytest.raises(NoDecoder, match="does not start"):
        decoder.audio(b"")
    decoder.close()


def test_signals_for_the_whole_service_do_not_end_it(odd: IsolatedDecoder) -> None:
    """A drain needs it still."""
    good = encode(tone(0.2, 16_000), 16_000, "wav-16")
    odd.audio(good)
    before = odd.pids
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        os.kill(before[0], signal_number)
    time.sleep(0.1)
    odd.audio(good)

    assert odd.pids == before


PARENT = """
import sys, threading, time
from models.isolation.decoder import IsolatedDecoder
from models.isolation.limits import Limits
decoder = IsolatedDecoder(2, limits=Limits(wall_s=1), program=sys.argv[1:])
for process in decoder._processes.values():
    process.wait_until_ready()
threading.Thread(target=decoder.audio, args=(b"SLEEP",), daemon=True).start()
time.sleep(0.2)
print(*decoder.pids, flush=True)
time.sleep(600)
"""


def test_they_end_with_the_service_also_when_it_is_killed() -> None:
    """The idle one at once, the one that hangs after its time."""
    with subprocess.Popen([sys.executable, "-c", PARENT, *ODD], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pids = parent.stdout.readline().split()
        parent.kill()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))

    assert len(pids) == 2


def test_nothing_heavy_is_in_the_process() -> None:
    """It starts quickly and is small."""
    program = "import sys, models.isolation.worker; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert not {"torch", "transformers", "pydantic", "fastapi", "faiss", "app", "index"} & set(done.stdout.split())
