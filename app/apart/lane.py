"""One lane between the two processes: a socket for calls and answers, and memory of both for what is large in calls."""

from __future__ import annotations

import mmap
import os
import pickle
import socket
import struct
import tempfile
from collections.abc import Sequence
from itertools import accumulate
from multiprocessing.connection import Connection
from typing import IO, Any

from app.apart.messages import Call

MEMORY = 4 << 20
"""Bytes: a minute of audio. What is longer goes through the socket as well."""
ALIGNED = 64
_MARK = b"L"
_TIME = struct.Struct("@ll")
"""Of the system: seconds and microseconds."""


class Lane:
    """One end, for one call at a time. Both directions raise `OSError` or `EOFError` when the other end is gone."""

    def __init__(self, end: socket.socket, memory: IO[bytes]) -> None:
        self._memory = memoryview(mmap.mmap(memory.fileno(), MEMORY))
        self._connection = Connection(end.detach())

    @classmethod
    def to(cls, control: socket.socket, within_s: float) -> Lane:
        """A new lane, of which whoever has the other end of `control` can take the other end.

        within_s: how long anything may be waited for on this end
        """
        ours, theirs = socket.socketpair()
        with ours, theirs, _shared(MEMORY) as memory:
            for direction in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
                ours.setsockopt(socket.SOL_SOCKET, direction, _TIME.pack(int(within_s), int(within_s % 1 * 1e6)))
            socket.send_fds(control, [_MARK], [theirs.fileno(), memory.fileno()])
            return cls(ours, memory)

    @classmethod
    def taken(cls, control: socket.socket) -> Lane:
        """The next one that `to` was called for."""
        _, found, _, _ = socket.recv_fds(control, len(_MARK), 2)
        if len(found) != 2:
            raise EOFError
        with socket.socket(fileno=found[0]) as end, open(found[1], "r+b", buffering=0) as memory:
            return cls(end, memory)

    def answered_to(self, call: Call) -> Any:
        """What `answer` was given for a call. Raises `TimeoutError`, which is an `OSError`.

        After whatever it raises the lane is of no use any more: the answer may come still, and is nobody else's.
        """
        message = self._message(call)
        try:
            self._connection.send(message)
            return self._connection.recv()
        except BlockingIOError as error:
            self._connection.close()
            raise TimeoutError from error
        except BaseException:
            self._connection.close()
            raise

    def _message(self, call: Call) -> tuple[bytes, Sequence[int]]:
        """What goes through the socket, once the rest is in memory: a call without its arrays, and their lengths."""
        large: list[pickle.PickleBuffer] = []
        small = pickle.dumps(call, 5, buffer_callback=large.append)
        raw = [buffer.raw() for buffer in large]
        places = _places([len(one) for one in raw])
        if places[-1] > MEMORY:
            return pickle.dumps(call, 5), []
        for start, one in zip(places, raw, strict=False):
            self._memory[start : start + len(one)] = one
        return small, [len(one) for one in raw]

    def asked(self) -> Call:
        """The next call; its arrays hold what they are until the next one."""
        small, lengths = self._connection.recv()
        places = _places(lengths)
        large = [self._memory[start : start + length] for start, length in zip(places, lengths, strict=False)]
        call: Call = pickle.loads(small, buffers=large)  # noqa: S301  the other end is this program too
        return call

    def answer(self, answer: object) -> None:
        self._connection.send(answer)


def _places(lengths: Sequence[int]) -> list[int]:
    """Where each begins, and the last one ends."""
    return list(accumulate((-(-length // ALIGNED) * ALIGNED for length in lengths), initial=0))


def _shared(size: int) -> IO[bytes]:
    """Memory that no file system has, or a file without a name where the system does not give such."""
    try:
        memory: IO[bytes] = open(os.memfd_create("lane"), "r+b", buffering=0)  # noqa: SIM115  the caller closes it
    except (AttributeError, OSError):
        memory = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
    try:
        memory.truncate(size)
    except OSError:
        memory.close()
        raise
    return memory
