"""`python -m models.isolation.worker SOCKET LIMITS`: decodes what comes through a socket, one file after the other.

Once it has read its modules it gives up what it does not need for that: memory beyond an allowance, open files and
sockets, and making processes. What goes over its time the system ends. It ends when its socket does, which is
when whoever started it is gone.
"""

from __future__ import annotations

import contextlib
import json
import math
import resource
import signal
import socket
import sys
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image

from models.audio import MIN_SECONDS, SAMPLE_RATE, Waveform, decode
from models.errors import AudioError, DecodingStopped, ImageError
from models.images import FORMATS, decode_image
from models.isolation.channel import Channel
from models.isolation.limits import Limits
from models.isolation.messages import Answer, audio_answer, image_answer, refusal_answer

EXIF_ORIENTATION = 0x0112
READY = b"ready"
SPARE_S = 5
"""Seconds after which the system ends what its parent should have ended: when that is gone, too."""

DecodeAudio = Callable[[bytes, float], Waveform]
DecodeImage = Callable[[bytes], tuple[Image.Image, str]]


def main(decode_audio: DecodeAudio = decode, decode_image: DecodeImage = decode_image) -> None:
    """The process."""
    # Both go to every process of a terminal or a service; this one is needed until its parent has answered.
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    limits = Limits(**json.loads(sys.argv[2]))
    _warm_up()
    _give_up(limits.memory)
    # A parent that is gone is the end, and no news.
    with contextlib.suppress(OSError):
        channel.send(READY)
        while True:
            _decode_one(channel, limits, decode_audio, decode_image)


def _decode_one(channel: Channel, limits: Limits, decode_audio: DecodeAudio, decode_image: DecodeImage) -> None:
    job, data = json.loads(channel.receive()), bytes(channel.receive())
    with _limited_time(limits):
        for message in _answer(job, data, decode_audio, decode_image):
            channel.send(message)


def _answer(job: dict[str, float], data: bytes, decode_audio: DecodeAudio, decode_image: DecodeImage) -> Answer:
    try:
        if "max_seconds" in job:
            return audio_answer(decode_audio(data, job["max_seconds"]))
        return image_answer(*decode_image(data))
    except (AudioError, ImageError) as error:
        return refusal_answer(error)
    except MemoryError:
        return refusal_answer(DecodingStopped("decoding these bytes was stopped: it needs more memory than is allowed"))


def _warm_up() -> None:
    """Libraries read some of their modules with the first file, which they could not later."""
    sound = BytesIO()
    with wave.open(sound, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)  # FFmpeg is not asked for samples of two bytes
        file.setframerate(SAMPLE_RATE // 2)
        file.writeframes(bytes([0, 255]) * round(MIN_SECONDS * SAMPLE_RATE))
    decode(sound.getvalue())
    for format in FORMATS:
        drawing, image = BytesIO(), Image.new("RGB", (2, 2))
        image.getexif()[EXIF_ORIENTATION] = 6
        image.save(drawing, format, exif=image.getexif())
        decode_image(drawing.getvalue())


def _give_up(memory: int) -> None:
    # Elsewhere nothing tells how much is in use, or the system takes no such limit.
    if (statm := Path("/proc/self/statm")).exists():
        _limit(resource.RLIMIT_AS, int(statm.read_text().split()[0]) * resource.getpagesize() + memory)
    for limit in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC, resource.RLIMIT_CORE):
        _limit(limit, 0)


def _limit(limit: int, most: int) -> None:
    """For good, unless there is a lower one already."""
    _, hard = resource.getrlimit(limit)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(limit, (most, most))


@contextmanager
def _limited_time(limits: Limits) -> Iterator[None]:
    """Ends the process, not the block: a library that hangs hears no exception."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = math.ceil(used.ru_utime + used.ru_stime + limits.cpu_s)
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    signal.setitimer(signal.ITIMER_REAL, limits.wall_s + SPARE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    main()
