"""The process that encodes, as seen by the one that asks it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Lock
from typing import Any

from app.apart.messages import About
from models.children import command, search_path
from models.config import Precision
from models.errors import EncoderEnded
from models.protocol import Memory

PROGRAM = ("-m", "app.apart.worker")
LANE = b"L"
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
        self._lanes: SimpleQueue[Connection] = SimpleQueue()
        with ours:
            try:
                self.about: About = _answered(self._control)
                for _ in range(self.about.lanes):
                    self._lanes.put(_lane(ours))
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
            return _answered(lane, (method, arguments), CALL_S)
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
                memory: Memory | None = _answered(self._control, "memory", STOP_S)
                return memory
        except OSError:
            return None

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


def _answered(connection: Connection, message: object = None, within_s: float | None = None) -> Any:
    """The answer to a message, or, without one, what comes first. Raises it where it is an exception, and `OSError`."""
    try:
        if message is not None:
            connection.send(message)
        if not connection.poll(within_s):
            raise TimeoutError
        answer = connection.recv()
    except EOFError as error:
        raise ConnectionResetError("the other end is gone") from error
    if isinstance(answer, Exception):
        raise answer
    return answer


def _lane(control: socket.socket) -> Connection:
    """A new socket, of which the process has the other end."""
    ours, theirs = socket.socketpair()
    with theirs:
        socket.send_fds(control, [LANE], [theirs.fileno()])
    return Connection(ours.detach())
