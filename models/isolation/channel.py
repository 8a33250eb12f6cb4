"""Messages of bytes between two processes, of bounded length and in bounded time."""

from __future__ import annotations

import socket
import struct
import time

LENGTH = struct.Struct("!Q")


class Channel:
    """One end of a socket. Both directions raise `OSError` when the other end is gone; `TimeoutError` is one."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._until: float | None = None

    def set_deadline(self, seconds: float | None) -> None:
        """How long everything that follows may take in all; None for as long as it likes."""
        self._until = None if seconds is None else time.monotonic() + seconds

    def send(self, message: bytes) -> None:
        self._patience()
        self._end.sendall(LENGTH.pack(len(message)))
        self._patience()
        self._end.sendall(message)

    def receive(self, most: int | None = None) -> bytearray:
        """The next message; one of more than `most` bytes is an `OSError`, and none of it is read."""
        (length,) = LENGTH.unpack(self._read(LENGTH.size))
        if most is not None and length > most:
            raise OSError(f"a message of {length} bytes where {most} are the most")
        return self._read(length)

    def close(self) -> None:
        self._end.close()

    def _read(self, length: int) -> bytearray:
        data = bytearray(length)
        rest = memoryview(data)
        while rest:
            self._patience()
            count = self._end.recv_into(rest)
            if not count:
                raise ConnectionResetError("the other end is gone")
            rest = rest[count:]
        return data

    def _patience(self) -> None:
        if self._until is None:
            self._end.settimeout(None)
            return
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._end.settimeout(left)
