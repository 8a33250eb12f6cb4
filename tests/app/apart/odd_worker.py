"""A worker as the service has it, with an encoder that texts of some kinds break: `python -m ... SOCKET FOLDER fp32`.

FOLDER: its files `starts` and `pid` tell how often such a worker was started, and which process is the last one; other
files there change what it is.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.apart.worker import main
from models.config import Precision
from models.errors import BranchError, DeviceLost, DeviceOutOfMemory, ModelFolderError
from models.protocol import Memory
from tests.fake_encoder import FakeEncoder
from tests.patience import WAIT_S


class OddEncoder(FakeEncoder):
    lanes = 2

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def device_memory(self) -> Memory:
        return Memory(os.getpid(), 1 << 40)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        first = (self._folder / "starts").read_text() == "1"
        match texts[0]:
            case "deadly":
                os.abort()
            case "deadly at first" if first:
                os.kill(os.getpid(), signal.SIGKILL)
            case "endless at first" if first:
                time.sleep(WAIT_S)
            case "lost" if first:
                raise DeviceLost("the device is gone")
            case "too much":
                raise DeviceOutOfMemory("tried to allocate 2 GiB")
            case "no branch":
                raise BranchError("there is no such branch")
            case "wrong":
                raise KeyError("wrong")
        return super().embed_texts(texts)


def load(folder: str, precision: Precision) -> OddEncoder:
    (Path(folder) / "pid").write_text(str(os.getpid()))
    starts = Path(folder) / "starts"
    before = int(starts.read_text()) if starts.exists() else 0
    starts.write_text(str(before + 1))
    if (Path(folder) / "slow").exists():
        time.sleep(WAIT_S)
    if (Path(folder) / "unreadable").exists():
        raise ModelFolderError("the model cannot be read")
    if (Path(folder) / "crashing").exists():
        os.abort()
    encoder = OddEncoder(Path(folder))
    if (Path(folder) / "changed").exists():
        encoder.fingerprint = "another"
    return encoder


if __name__ == "__main__":
    main(load)
