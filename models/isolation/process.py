"""One decoding process, as seen by the process that it decodes for."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from models.children import KILLED, command, end, search_path
from models.errors import DecodingStopped, NoDecoder
from models.isolation.channel import Channel
from models.isolation.limits import Limits
from models.isolation.messages import MAX_HEAD
from models.isolation.worker import READY

PROGRAM = ("-m", "models.isolation.worker")
MAX_BODY = 64 << 20
"""Bytes of an answer: an image is at most half of that, ten minutes of audio are somewhat more than half."""
START_S = 60.0
STOP_S = 5.0
INHERITED = ("PATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
# One thread; and the system gets large pieces of memory back at once.
ALONE = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),
}
ENDED: Mapping[int, str] = {
    signal.SIGKILL: KILLED,
    signal.SIGXCPU: "it took more processor time than is allowed",
}


class DecodingProcess:
    """Started when it is made; it ends when it is closed, or when this process does. For one thread at a time.

    Raises `NoDecoder` where it cannot be started.
    """

    def __init__(self, limits: Limits, program: Sequence[str] = PROGRAM) -> None:
        self._limits = limits
        self._ready = False
        self.files = 0
        """How many it has decoded."""
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours)
        with theirs:
            try:
                self._process = subprocess.Popen(
                    command(program, str(theirs.fileno()), json.dumps(asdict(limits))),
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    cwd="/",
                    env=_environment(),
                )
            except OSError as error:
                ours.close()
                raise NoDecoder(f"no process to decode in can be started: {error.strerror}") from error

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def wait_until_ready(self) -> None:
        """Raises `NoDecoder`."""
        if self._ready:
            return
        self._channel.set_deadline(START_S)
        try:
            self._channel.receive(len(READY))
        except OSError as error:
            raise NoDecoder("the process to decode in does not start; the log may say why") from error
        self._ready = True

    def ask(self, job: Mapping[str, float], data: bytes) -> tuple[bytearray, bytearray]:
        """The two messages of an answer. Raises `DecodingStopped`, after which the process is of no use any more."""
        self._channel.set_deadline(self._limits.wall_s)
        try:
            self._channel.send(json.dumps(job).encode())
            self._channel.send(data)
            answer = self._channel.receive(MAX_HEAD), self._channel.receive(MAX_BODY)
        except OSError as error:
            raise DecodingStopped(f"decoding these bytes was stopped: {self._reason(error)}") from error
        self.files += 1
        return answer

    def kill(self) -> None:
        """End it at once."""
        self._channel.close()
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End it, by force if it does not by itself."""
        self._channel.close()
        end(self._process, STOP_S)

    def _reason(self, error: OSError) -> str:
        if isinstance(error, TimeoutError):
            return f"it took longer than {self._limits.wall_s:g} s"
        if not isinstance(error, ConnectionError):
            return "its answer made no sense"
        try:
            status = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            return "the decoder hung up"
        return ENDED.get(-status, f"the decoder crashed, with status {status}")


def _environment() -> dict[str, str]:
    """Nothing that is secret."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return kept | ALONE | {"PYTHONPATH": search_path()}
