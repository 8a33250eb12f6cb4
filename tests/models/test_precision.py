"""In which numbers a model is computed, asked of devices that are not here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from models.config import Precision
from models.encoder import SpeechClipEncoder
from models.errors import PrecisionError
from models.folder import find_model
from models.precision import require
from models.speechclip import SpeechClip


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a device to which networks go without leaving the CPU, and which multiplies bfloat16."""
    monkeypatch.setattr(SpeechClip, "to", lambda self, device: self)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    return "cuda"


@pytest.mark.parametrize(("precision", "rounded"), [("fp32", False), ("bf16", True)])
def test_single_precision_on_a_gpu_is_no_shorter_one(
    tiny_model: Path, gpu: str, precision: Precision, rounded: bool
) -> None:
    SpeechClipEncoder(find_model(str(tiny_model)), gpu, precision)

    assert torch.backends.cudnn.allow_tf32 == rounded


def test_bfloat16_that_is_only_imitated_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation)

    require("fp32", torch.device("cuda"))
    with pytest.raises(PrecisionError, match="set the precision to fp32"):
        require("bf16", torch.device("cuda"))
