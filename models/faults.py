"""What a device does wrong, in words of this package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from models.errors import DeviceLost, DeviceOutOfMemory


@contextmanager
def device_faults() -> Iterator[None]:
    """Raises `DeviceOutOfMemory` or `DeviceLost` for torch's exceptions of that kind; also a decorator."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        # What the failed call held is kept for the next ones of its size, which may not come.
        torch.cuda.empty_cache()
        raise DeviceOutOfMemory(str(error)) from error
    except torch.AcceleratorError as error:
        raise DeviceLost(str(error)) from error
