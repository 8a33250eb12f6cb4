"""An `Encoder` that is a process, and another one when that ends."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from app.apart.process import PROGRAM, EncoderProcess
from models.config import Branch, Precision
from models.errors import EncoderEnded, ModelFolderError
from models.images import looked_at
from models.protocol import Memory, SpeechEmbeddings, Vectors

logger = logging.getLogger(__name__)

PAUSES_S = (1.0, 5.0)
"""Before it is tried once more to start a process."""
WATCH_S, REST_S = 5.0, 300.0
"""How often it is looked after a process that nobody asks anything; at most so seldom after failures."""


class ApartEncoder:
    """Answers as `models.encoder.load_encoder` would in its process.

    When the process ends, another is started, and asked once what the first was; those calls go one by one, so that
    one that ends this process too raises `EncoderEnded` alone, and others have a third. So it is after `DeviceLost`:
    with a new process a device comes back that no longer works for the old one.
    """

    def __init__(
        self,
        model: str,
        precision: Precision = "fp32",
        on_restart: Callable[[], None] = lambda: None,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self._closed = threading.Event()
        self._start = partial(EncoderProcess, model, precision, program, self._closed.is_set)
        self._on_restart = on_restart
        self._changing, self._again = threading.Lock(), threading.Lock()
        self._process = self._start()
        about = self._about = self._process.about
        self.name, self.fingerprint, self.card = about.name, about.fingerprint, about.card
        self.dim, self.image_size = about.dim, about.image_size
        self.precision, self.branches = about.precision, about.branches
        self.lanes, self.batched = about.lanes, about.batched
        threading.Thread(target=self._watch, name="encoder-watch", daemon=True).start()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def embed_speech(
        self, waves: Sequence[NDArray[np.float32]], branch: Branch | None = None, return_keywords: bool = False
    ) -> SpeechEmbeddings:
        found: SpeechEmbeddings = self._ask("embed_speech", list(waves), branch, return_keywords)
        return found

    def embed_images(self, images: Sequence[Image]) -> Vectors:
        vectors: Vectors = self._ask("embed_images", [looked_at(image, self.image_size) for image in images])
        return vectors

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        vectors: Vectors = self._ask("embed_texts", list(texts))
        return vectors

    def slot_words(self, texts: Sequence[str]) -> Vectors | None:
        vectors: Vectors | None = self._ask("slot_words", list(texts))
        return vectors

    def device_memory(self) -> Memory | None:
        return self._process.device_memory()

    def close(self) -> None:
        """End the process; nothing is encoded any more."""
        self._closed.set()
        with self._changing:
            self._process.close()

    def _ask(self, method: str, *arguments: Any) -> Any:
        try:
            return self._process.ask(method, *arguments)
        except EncoderEnded as error:
            if self._closed.is_set():
                raise
            reason = str(error)
        with self._again:
            return self._living(reason).ask(method, *arguments)

    def _watch(self) -> None:
        """A process that ends while nobody asks it is followed at once, and not when the next one asks and waits."""
        pause_s = WATCH_S
        while not self._closed.wait(pause_s):
            try:
                if not self._process.works:
                    with self._again:
                        self._living("it ended while nobody asked it anything")
                pause_s = WATCH_S
            except Exception as error:
                logger.warning("there is no encoder", extra={"reason": str(error)})
                pause_s = min(2 * pause_s, REST_S)

    def _living(self, reason: str) -> EncoderProcess:
        """The process, or the one that follows where it has ended."""
        with self._changing:
            if self._closed.is_set():
                raise EncoderEnded(reason)
            if not self._process.works:
                logger.warning("the encoder is started again", extra={"reason": reason})
                self._on_restart()
                self._process.close()
                self._process = self._next()
            return self._process

    def _next(self) -> EncoderProcess:
        """A system that had no memory for the last one may have none for the next one at once."""
        for pause_s in PAUSES_S:
            try:
                return self._checked(self._start())
            except EncoderEnded as error:
                logger.warning("the encoder does not start", extra={"reason": str(error)})
                if self._closed.wait(pause_s):
                    raise
        return self._checked(self._start())

    def _checked(self, process: EncoderProcess) -> EncoderProcess:
        if process.about != self._about:
            process.close()
            raise ModelFolderError("the model or its device is another one than at the start of the service")
        return process
