"""A `Decoder` that is a few processes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from typing import Any, TypeVar

from PIL import Image

from models.audio import Waveform
from models.errors import DecodingStopped, NoDecoder
from models.isolation.limits import Limits
from models.isolation.messages import NONSENSE, head_of, image_of, wave_of
from models.isolation.process import PROGRAM, DecodingProcess

logger = logging.getLogger(__name__)

MOST_FILES = 5000
"""Of one process: what libraries lose of their memory, little by little, is found again."""

T = TypeVar("T")


class IsolatedDecoder:
    """So many processes, kept warm, each for one file at a time; whoever finds none free waits.

    What a file does to the process that decodes it, it does to no other: its own request raises `DecodingStopped`, and
    the process is replaced. Raises `NoDecoder` when none can be started.
    """

    def __init__(
        self, processes: int, max_seconds: float = 30.0, limits: Limits | None = None, program: Sequence[str] = PROGRAM
    ) -> None:
        self._max_seconds = max_seconds
        self._limits, self._program = limits or Limits(), program
        self._processes: dict[int, DecodingProcess] = {}
        self._free: SimpleQueue[int] = SimpleQueue()
        for place in range(processes):
            self._processes[place] = self._started()
            self._free.put(place)

    def audio(self, data: bytes, max_seconds: float | None = None) -> Waveform:
        most = self._max_seconds if max_seconds is None else max_seconds
        return self._ask({"max_seconds": most}, data, wave_of)

    def image(self, data: bytes) -> tuple[Image.Image, str]:
        return self._ask({}, data, image_of)

    def close(self) -> None:
        for process in self._processes.values():
            process.close()

    @property
    def pids(self) -> list[int]:
        """Of the processes, in no order."""
        return [process.pid for process in self._processes.values()]

    def _ask(self, job: Mapping[str, float], data: bytes, read: Callable[[Mapping[str, Any], bytearray], T]) -> T:
        place = self._free.get()
        try:
            process = self._living(place)
            try:
                head, body = process.ask(job, data)
                return _understood(head, body, read)
            except DecodingStopped as error:
                logger.warning("a file broke a decoding process", extra={"reason": str(error)})
                self._replace(place)
                raise
            finally:
                if process.files >= MOST_FILES:
                    self._replace(place)
        finally:
            self._free.put(place)

    def _living(self, place: int) -> DecodingProcess:
        """Ready to be asked. One that has ended while nobody asked is no fault of the file that comes next."""
        process = self._processes[place]
        if not process.alive:
            logger.warning("a decoding process has ended by itself")
            process = self._replace(place)
        try:
            process.wait_until_ready()
        except NoDecoder:
            process.kill()
            raise
        return process

    def _replace(self, place: int) -> DecodingProcess:
        self._processes[place].kill()
        process = self._processes[place] = self._started()
        return process

    def _started(self) -> DecodingProcess:
        return DecodingProcess(self._limits, self._program)


def _understood(head: bytearray, body: bytearray, read: Callable[[Mapping[str, Any], bytearray], T]) -> T:
    try:
        return read(head_of(head), body)
    # Whatever it was that answered, no decoder of ours did.
    except NONSENSE as error:
        raise DecodingStopped("decoding these bytes was stopped: what came of it made no sense") from error
