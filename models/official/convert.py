"""From a checkpoint of the authors to a model folder."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from models.card import Source, official_card
from models.errors import CheckpointError, ConversionError
from models.folder import ModelFolder, find_model, find_unsound, write_texts
from models.new_folder import new_folder, require_free_name, require_space
from models.official import OfficialModel, read_official
from models.published.shelf import WEIGHTS
from models.tensor_file import pieces, write_tensors

OnProgress = Callable[[int, int], None]
"""Told (done, total) in bytes, whatever is done with them."""

_CHUNK = 16 << 20
_TEXTS = 1 << 20  # bytes of everything but the weights, generously
Digests = Mapping[str, str]


def convert(
    checkpoint: Path,
    out: Path,
    name: str,
    on_progress: OnProgress | None = None,
    hubert_heads: int | None = None,
) -> ModelFolder:
    """Make the model folder `out` of a checkpoint; the model is called `name`.

    It appears once it is complete and was read back without a difference. Never is more held in memory than the file
    has. hubert_heads: as for `read_official`. Raises `CheckpointError` or `ConversionError`.
    """
    require_free_name(out)
    work = _Conversion(checkpoint, name, hubert_heads, on_progress)
    with new_folder(out) as folder:
        digests = work.write(folder)
        converted = work.verify(folder, digests)
    return replace(converted, path=out)


class _Conversion:
    def __init__(self, checkpoint: Path, name: str, hubert_heads: int | None, on_progress: OnProgress | None) -> None:
        self._checkpoint, self._name, self._hubert_heads = checkpoint, name, hubert_heads
        self._on_progress, self._done, self._total = on_progress, 0, 0

    def write(self, folder: Path) -> Digests:
        """Write all files; the digests of all tensors as they should be. The checkpoint is let go of."""
        official = read_official(self._checkpoint, self._name, self._hubert_heads)
        size = sum(tensor.nbytes for tensor in official.state_dict.values())
        self._total = self._checkpoint.stat().st_size + 3 * size
        require_space(folder, size + _TEXTS)
        self._require_sound(official)
        digests = _Digests(self._advance)

        def on_bytes(name: str, piece: memoryview) -> None:
            digests.add(name, piece)
            official.file.release()

        write_tensors(folder / WEIGHTS, official.state_dict, on_bytes)
        card = official_card(official.config, official.file, self._source())
        write_texts(folder, official.config, official.vocabulary, card)
        return digests.hex()

    def _require_sound(self, official: OfficialModel) -> None:
        for name, tensor in official.state_dict.items():
            if find_unsound({name: tensor}):
                raise CheckpointError(f"{self._checkpoint}: {name} has values that are no numbers")
            official.file.release()
            self._advance(tensor.nbytes)

    def verify(self, folder: Path, expected: Digests) -> ModelFolder:
        """Load what was written as a model: every tensor must be the checkpoint's."""
        converted = find_model(str(folder))
        digests = _Digests(self._advance)
        for name, tensor in converted.load().state_dict().items():
            for piece in pieces(tensor):
                digests.add(name, piece)
        found = digests.hex()
        if different := [name for name, digest in expected.items() if found.get(name) != digest]:
            raise ConversionError(f"{different[0]} reads back otherwise than it was written: is the disk sound?")
        return converted

    def _source(self) -> Source:
        digest = hashlib.sha256()
        with self._checkpoint.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                self._advance(len(chunk))
            return Source(self._checkpoint.name, digest.hexdigest(), file.tell())

    def _advance(self, bytes_: int) -> None:
        self._done += bytes_
        if self._on_progress is not None:
            self._on_progress(self._done, self._total)


class _Digests:
    """SHA-256 of every tensor's bytes."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance
        self._digests = defaultdict[str, "hashlib._Hash"](hashlib.sha256)

    def add(self, name: str, piece: memoryview) -> None:
        self._digests[name].update(piece)
        self._advance(len(piece))

    def hex(self) -> Digests:
        return {name: digest.hexdigest() for name, digest in self._digests.items()}
