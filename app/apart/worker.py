"""`python -m app.apart.worker SOCKET MODEL PRECISION`: encodes what comes through sockets, and ends with the first."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection

from app import collector
from app.apart.lane import Lane
from app.apart.messages import About, portable
from app.priority import ENCODER_STEPS, step_back
from models.config import Precision
from models.errors import DeviceLost
from models.protocol import Encoder, Memory

Load = Callable[[str, Precision], Encoder]
GONE = (EOFError, OSError)
"""What a socket raises whose other end is gone."""
FAILED = 1


def load(model: str, precision: Precision) -> Encoder:
    """The encoder, and as many cores for each call as there should be."""
    from models.encoder import load_encoder
    from models.lanes import share_cores

    share_cores()
    return load_encoder(model, precision)


def main(load: Load = load) -> None:
    """The process."""
    # Both go to every process of a terminal or a service; this one is needed until its parent has answered.
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    collector.pause()
    step_back(ENCODER_STEPS)
    number, model, precision = sys.argv[1:]
    with contextlib.suppress(*GONE), socket.socket(fileno=int(number)) as end:
        threading.Thread(target=_end_with, args=(end,), daemon=True).start()
        control = Connection(os.dup(end.fileno()))
        try:
            encoder = load(model, "bf16" if precision == "bf16" else "fp32")
        # Whatever it is, who asked for the encoder is to know.
        except Exception as error:
            control.send(portable(error))
            return
        control.send(About.of(encoder))
        for _ in range(encoder.lanes):
            threading.Thread(target=_serve, args=(Lane.taken(end), encoder), daemon=True).start()
        collector.resume()
        while True:
            control.recv()
            control.send(_memory(encoder))
    # Not by itself: a thread may be in the middle of a network, which would outlive what it stands on.
    os._exit(0)


def _end_with(control: socket.socket) -> None:
    """End when the other end is gone, whatever is loaded or encoded at that moment."""
    hung_up = select.poll()
    hung_up.register(control, 0)
    hung_up.poll()
    os._exit(0)


def _memory(encoder: Encoder) -> Memory | None:
    """None as well where the device does not tell: it will be looked into with the next call."""
    try:
        return encoder.device_memory()
    except RuntimeError:
        return None


def _serve(lane: Lane, encoder: Encoder) -> None:
    with contextlib.suppress(*GONE):
        while True:
            method, arguments = lane.asked()
            try:
                answer = getattr(encoder, method)(*arguments)
            except Exception as error:
                answer = portable(error)
            lane.answer(answer)
            if isinstance(answer, DeviceLost):
                os._exit(FAILED)


if __name__ == "__main__":
    main()
