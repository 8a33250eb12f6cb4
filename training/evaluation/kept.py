"""Vectors that were made already, on disk: an evaluation that was killed goes on, and another one starts half done."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from training.evaluation.embedder import Batch, Embedder
from training.evaluation.errors import EvaluationError

VERSION = "1"  # of how files are read: another one, and all vectors are made anew
_LABEL = re.compile(r"[^a-z0-9]+")


class Kept:
    """Batches by what was in their files, so that none is used for a file that has changed.

    One folder for each model and for each `what` in `embedder`'s way and precision, which have to name all else that
    vectors depend on. Any number of evaluations may use it at the same time.
    """

    def __init__(self, work: Path, embedder: Embedder, what: str) -> None:
        label = _LABEL.sub("-", f"{what} {embedder.way} {embedder.precision}")
        self.folder = work / embedder.fingerprint[:16] / label
        self._dim = embedder.dim
        self._seed = "\n".join((VERSION, embedder.fingerprint, label)).encode()

    def key(self, files: Sequence[bytes]) -> str:
        digest = blake2b(self._seed, digest_size=20)
        for data in files:
            digest.update(blake2b(data, digest_size=32).digest())
        return digest.hexdigest()

    def get(self, key: str, files: int) -> Batch | None:
        """The batch of that many files; None where it is not there, or broke off while it was written."""
        try:
            # Opened here: where a file is broken, NumPy leaves closing what it opened to chance.
            with self._path(key).open("rb") as file, np.load(file, allow_pickle=False) as stored:
                batch = Batch(
                    stored["vectors"],
                    [str(reason) for reason in stored["reasons"]],
                    stored["subwords"],
                    stored["audio_seconds"],
                    float(stored["seconds"]),
                )
        except (OSError, ValueError, KeyError, EOFError, BadZipFile, TypeError):
            return None
        shapes = batch.vectors.shape, len(batch.reasons), len(batch.subwords), len(batch.audio_seconds)
        return batch if shapes == ((files, self._dim), files, files, files) else None

    def put(self, key: str, batch: Batch) -> None:
        """Whole, or not at all. Raises `EvaluationError` where it cannot be written."""
        try:
            self._put(key, batch)
        except OSError as error:
            reason = error.strerror or error
            raise EvaluationError(f"{self.folder} cannot be written: {reason}; --work names another folder") from error

    def _put(self, key: str, batch: Batch) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
        try:
            with os.fdopen(number, "wb") as file:
                np.savez(
                    file,
                    vectors=batch.vectors,
                    reasons=np.array(batch.reasons, np.str_),
                    subwords=batch.subwords,
                    audio_seconds=batch.audio_seconds,
                    seconds=np.array(batch.seconds),
                )
            os.replace(name, self._path(key))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"
