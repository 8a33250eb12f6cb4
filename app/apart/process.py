"""The process that encodes, as seen by the one that asks it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from queue import LifoQueue
from threading import Lock
from typing import Any

from app.apart.lane import Lane
from app.apart.messages import About
from models.children import command, search_path
from models.config import Precision
from models.errors import EncoderEnded
from models.protocol import Memory

PROGRAM = ("-m", "app.apart.worker")
STOP_S = 5.0
CALL_S = 600.0
"""What has not been encoded after so long never will be: a group of items for a large model takes minutes at most."""
ENDED: Mapping[int, str] = {signal.SIGKILL: "the system ended it, for want of memory perhaps"}


class EncoderProcess:
    """Started when it is made, and ready then; it ends when it is closed, or when this process does.

    Raises `EncoderEnded` where it does not start, and what the encoder raises where that cannot be loaded.
    """

    def __init__(self, model: str, precision: Precision, program: Sequence[str] = PROGRAM) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                command(program, str(theirs.fileno()), model, precision),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": search_path()},
            )
        self._control, self._controlling = Connection(os.dup(ours.fileno())), Lock()
        # The last that was used goes first: what it needs is still in the caches of its core.
        self._lanes: LifoQueue[Lane] = LifoQueue()
        with ours:
            try:
                self.about: About = _of(self._control.recv)
                for _ in range(self.about.lanes):
                    self._lanes.put(Lane.to(ours))
            except OSError as error:
                ended = self._ended(error)
                self.close()
                raise ended from error
            except Exception:
                self.close()
                raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, method: str, *arguments: Any) -> Any:
        """What a method of the encoder returns; raises what it raises, or `EncoderEnded`."""
        lane = self._lanes.get()
        try:
            return _of(lambda: lane.answered_to((method, arguments), CALL_S))
        except TimeoutError as error:
            self._process.kill()
            raise EncoderEnded(f"the process that encodes did not answer for {CALL_S:g} s") from error
        except OSError as error:
            raise self._ended(error) from error
        finally:
            self._lanes.put(lane)

    def device_memory(self) -> Memory | None:
        """Also None once the process has ended, or where it does not answer."""
        try:
            with self._controlling:
                memory: Memory | None = _of(self._memory)
                return memory
        except OSError:
            return None

    def _memory(self) -> Any:
        self._control.send("memory")
        if not self._control.poll(STOP_S):
            raise TimeoutError
        return self._control.recv()

    def close(self) -> None:
        """End it, by force if it does not by itself."""
        self._control.close()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ended(self, error: OSError) -> EncoderEnded:
        try:
            status = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            return EncoderEnded(f"the process that encodes hung up: {error}")
        reason = ENDED.get(-status, f"it crashed, with status {status}")
        return EncoderEnded(f"the process that encodes has ended: {reason}")


def _of(answered: Callable[[], Any]) -> Any:
    """An answer. Raises it where it is an exception, and `OSError` where there is none."""
    try:
        answer = answered()
    except EOFError as error:
        raise ConnectionResetError("the other end is gone") from error
    if isinstance(answer, Exception):
        raise answer
    return answer
