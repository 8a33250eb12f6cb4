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


class ApartEncoder:
    """Answers as `models.encoder.load_encoder` would in its process.

    When the process ends, another is started, and asked once what the first was; a call that ends that one too raises
    `EncoderEnded`, and the next call starts a third. So does whatever is called after `DeviceLost`: with a new process
    a device comes back that no longer works for the old one.
    """

    def __init__(
        self,
        model: str,
        precision: Precision = "fp32",
        on_restart: Callable[[], None] = lambda: None,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self._start, self._on_restart = partial(EncoderProcess, model, precision, program), on_restart
        self._process, self._closed = self._start(), False
        self._changing = threading.Lock()
        about = self._process.about
        self.name, self.fingerprint, self.card = about.name, about.fingerprint, about.card
        self.dim, self.image_size = about.dim, about.image_size
        self.precision, self.branches = about.precision, about.branches
        self.lanes, self.batched = about.lanes, about.batched

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
        with self._changing:
            self._closed = True
            self._process.close()

    def _ask(self, method: str, *arguments: Any) -> Any:
        process = self._process
        try:
            return process.ask(method, *arguments)
        except EncoderEnded as error:
            return self._after(process, error).ask(method, *arguments)

    def _after(self, ended: EncoderProcess, error: EncoderEnded) -> EncoderProcess:
        """The process that follows one that has ended, for all who asked it."""
        with self._changing:
            if self._closed:
                raise error
            if self._process is ended:
                logger.warning("the encoder is started again", extra={"reason": str(error)})
                self._on_restart()
                ended.close()
                process = self._start()
                if process.about.fingerprint != self.fingerprint:
                    process.close()
                    raise ModelFolderError("the model has been changed since the service was started; start it again")
                self._process = process
            return self._process
