"""A stream for programs that wait: audio goes out in one thread, and answers are read in the caller's."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from speechclip_client.live import END, Answer, Live, read_answer
from speechclip_client.results import Final


def answers(live: Live, audio: Iterable[bytes]) -> Iterator[Answer]:
    """Until the final one. Raises `SpeechClipError`s, and what `audio` raises."""
    with ExitStack() as stack:
        with live.failures():
            socket = stack.enter_context(connect(**live.connection))
            # One that is refused at once is closed already; why, is to be read.
            with suppress(ConnectionClosed):
                socket.send(live.start)
        speaker = _Speaker(socket, audio)
        speaker.start()
        while True:
            answer = read_answer(_received(live, socket, speaker))
            if answer is not None:
                yield answer
            if isinstance(answer, Final):
                return


def _received(live: Live, socket: ClientConnection, speaker: _Speaker) -> str | bytes:
    """The next message; raises what the audio has raised meanwhile."""
    with live.failures():
        try:
            return socket.recv(live.service.deadline_s)
        except ConnectionClosed:
            if speaker.error is None:
                raise
    raise speaker.error


class _Speaker(threading.Thread):
    """Ends with the audio, or with the connection; a daemon, for the audio may be a microphone that never ends."""

    def __init__(self, socket: ClientConnection, audio: Iterable[bytes]) -> None:
        super().__init__(name="speaker", daemon=True)
        self._socket, self._audio = socket, audio
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            for piece in self._audio:
                self._socket.send(piece)
            self._socket.send(END)
        except ConnectionClosed:
            return
        # Whatever a caller's own audio may raise, the caller is to hear of it.
        except Exception as error:
            self.error = error
            self._socket.close()
