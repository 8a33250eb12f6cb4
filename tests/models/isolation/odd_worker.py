"""A decoding process in which some files do what no file should: a word in them says what.

Run as the real one is, by `tests.models.isolation.test_decoder`.
"""

from __future__ import annotations

import os
import signal
import socket
import time

import numpy as np

from models.audio import Waveform, decode
from models.isolation import worker


def decode_oddly(data: bytes, max_seconds: float) -> Waveform:
    match data.split(b" ")[0]:
        case b"CRASH":
            os.kill(os.getpid(), signal.SIGSEGV)
        case b"EXIT":
            os._exit(3)
        case b"BUG":
            raise RuntimeError("a mistake of the decoder's own")
        case b"SLEEP":
            time.sleep(600)
        case b"SPIN":
            while True:
                pass
        case b"MEMORY":
            np.ones(1 << 30, np.uint8)
        case b"FILE":
            open("/etc/hostname").close()
        case b"NETWORK":
            socket.create_connection(("127.0.0.1", 9)).close()
        case b"LONG":
            return Waveform(np.zeros((80 << 20) // 4, np.float32), "wav", False)
        case b"NOISE":
            return Waveform(np.full(16_000, np.nan, np.float32), "wav", False)
        case b"ENVIRONMENT":
            return Waveform(np.zeros(1_600, np.float32), " ".join(sorted(os.environ)), False)
    return decode(data, max_seconds)


if __name__ == "__main__":
    worker.main(decode_audio=decode_oddly)
