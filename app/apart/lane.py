"""One lane between the two processes: a socket for calls and answers, and memory of both for what is large in calls."""

from __future__ import annotations

import mmap
import os
import pickle
import socket
import tempfile
from collections.abc import Sequence
from itertools import accumulate
from multiprocessing.connection import Connection
from typing import Any

from app.apart.messages import Call

MEMORY = 4 << 20
"""Bytes: a minute of audio. What is longer goes through the socket as well."""
ALIGNED = 64
_MARK = b"L"


class Lane:
    """One end, for one call at a time. Both directions raise `OSError` or `EOFError` when the other end is gone."""

    def __init__(self, end: int, memory: int) -> None:
        """Takes two descriptors over."""
        self._connection = Connection(end)
        self._memory = memoryview(mmap.mmap(memory, MEMORY))
        os.close(memory)

    @classmethod
    def to(cls, control: socket.socket) -> Lane:
        """A new lane, of which whoever has the other end of `control` can take the other end."""
        ours, theirs = socket.socketpair()
        memory = _shared(MEMORY)
        with theirs:
            socket.send_fds(control, [_MARK], [theirs.fileno(), memory])
        return cls(ours.detach(), memory)

    @classmethod
    def taken(cls, control: socket.socket) -> Lane:
        """The next one that `to` was called for."""
        _, (end, memory), _, _ = socket.recv_fds(control, len(_MARK), 2)
        return cls(end, memory)

    def answered_to(self, call: Call, within_s: float) -> Any:
        """What `answer` was given for a call. Raises `TimeoutError`, which is an `OSError`."""
        self._ask(call)
        if not self._connection.poll(within_s):
            raise TimeoutError
        return self._connection.recv()

    def _ask(self, call: Call) -> None:
        large: list[pickle.PickleBuffer] = []
        small = pickle.dumps(call, 5, buffer_callback=large.append)
        raw = [buffer.raw() for buffer in large]
        places = _places([len(one) for one in raw])
        if places[-1] > MEMORY:
            self._connection.send((pickle.dumps(call, 5), []))
            return
        for start, one in zip(places, raw, strict=False):
            self._memory[start : start + len(one)] = one
        self._connection.send((small, [len(one) for one in raw]))

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


def _shared(size: int) -> int:
    """A descriptor of memory that no file system has."""
    if hasattr(os, "memfd_create"):
        memory = os.memfd_create("lane")
    else:
        with tempfile.TemporaryFile() as file:
            memory = os.dup(file.fileno())
    os.truncate(memory, size)
    return memory
