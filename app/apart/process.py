"""The process that encodes, as seen by the one that asks it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from queue import LifoQueue
from threading import Lock
from typing import Any

from app.apart.lane import Lane
from app.apart.messages import About
from models.children import KILLED, command, end, search_path
from models.config import Precision
from models.errors import EncoderEnded
from models.protocol import Memory

PROGRAM = ("-m", "app.apart.worker")
START_S, LOOK_S = 900.0, 0.2
STOP_S = 5.0
CALL_S = 600.0
"""What has not been encoded after so long never will be: a group of items for a large model takes minutes at most."""
ENDED: Mapping[int, str] = {signal.SIGKILL: KILLED}


class EncoderProcess:
    """Started when it is made, and ready then; it ends when it is closed, or when this process does.

    is_unwanted: asked while it starts, whether it need not any more
    Raises `EncoderEnded` where it does not start, and what the encoder raises where that cannot be loaded.
    """

    def __init__(
        self, model: str, precision: Precision, program: Sequence[str], is_unwanted: Callable[[], bool]
    ) -> None:
        self._broken = self._deaf = False
        self._controlling = Lock()
        # The last that was used goes first: what it needs is still in the caches of its core.
        self._lanes: LifoQueue[Lane] = LifoQueue()
        try:
            ours, theirs = socket.socketpair()
            with ours, theirs:
                self._control = Connection(os.dup(ours.fileno()))
                self._process = _started(command(program, str(theirs.fileno()), model, precision), theirs)
                theirs.close()
                self._meet(ours, is_unwanted)
        except OSError as error:
            raise EncoderEnded(f"the process that encodes cannot be started: {error}") from error

    def _meet(self, control: socket.socket, is_unwanted: Callable[[], bool]) -> None:
        """Hear what it is, and give it its lanes."""
        try:
            self._wait(is_unwanted)
            self.about: About = _of(self._control.recv)
            for _ in range(self.about.lanes):
                self._lanes.put(Lane.to(control, CALL_S))
        except OSError as error:
            ended = self._ended(error)
            self.close()
            raise ended from error
        except Exception:
            self.close()
            raise

    def _wait(self, is_unwanted: Callable[[], bool]) -> None:
        until = time.monotonic() + START_S
        while not self._control.poll(LOOK_S):
            if is_unwanted() or time.monotonic() > until:
                self._process.kill()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def works(self) -> bool:
        """Whether there is any sense in asking it."""
        return not self._broken and self._process.poll() is None

    def ask(self, method: str, *arguments: Any) -> Any:
        """What a method of the encoder returns; raises what it raises, or `EncoderEnded`."""
        lane = self._lanes.get()
        try:
            return _of(lambda: lane.answered_to((method, arguments)))
        except TimeoutError as error:
            self._broken = True
            self._process.kill()
            raise EncoderEnded(f"the process that encodes did not answer for {CALL_S:g} s") from error
        except OSError as error:
            self._broken = True
            raise self._ended(error) from error
        finally:
            self._lanes.put(lane)

    def device_memory(self) -> Memory | None:
        """Also None once the process has ended, or where it did not answer once."""
        with self._controlling:
            if self._deaf:
                return None
            try:
                memory: Memory | None = _of(self._asked_for_memory)
            except OSError:
                # A late answer would be taken for the next one.
                self._deaf, memory = True, None
            return memory

    def _asked_for_memory(self) -> Any:
        self._control.send("memory")
        if not self._control.poll(STOP_S):
            raise TimeoutError
        return self._control.recv()

    def close(self) -> None:
        """End it, by force if it does not by itself."""
        with self._controlling:
            self._deaf = True
            self._control.close()
        end(self._process, STOP_S)

    def _ended(self, error: OSError) -> EncoderEnded:
        try:
            status = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            return EncoderEnded(f"the process that encodes hung up: {error}")
        reason = ENDED.get(-status, f"it crashed, with status {status}")
        return EncoderEnded(f"the process that encodes has ended: {reason}")


def _started(command: Sequence[str], end: socket.socket) -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": search_path()}
    return subprocess.Popen(command, pass_fds=[end.fileno()], stdin=subprocess.DEVNULL, env=environment)


def _of(answered: Callable[[], Any]) -> Any:
    """An answer. Raises it where it is an exception, and `OSError` where there is none."""
    try:
        answer = answered()
    except EOFError as error:
        raise ConnectionResetError("the other end is gone") from error
    if isinstance(answer, Exception):
        raise answer
    return answer
