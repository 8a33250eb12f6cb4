"""What a device does wrong, told by a device that is none."""

from __future__ import annotations

import pytest
import torch

from models.errors import DeviceLost, DeviceOutOfMemory
from models.faults import device_faults


@pytest.mark.parametrize(
    ("fault", "told"),
    [(torch.OutOfMemoryError("tried to allocate"), DeviceOutOfMemory), (torch.AcceleratorError("lost"), DeviceLost)],
)
def test_faults_of_a_device_have_names(fault: Exception, told: type[Exception]) -> None:
    @device_faults()
    def compute() -> None:
        raise fault

    with pytest.raises(told, match=str(fault)):
        compute()


def test_other_mistakes_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes"), device_faults():
        raise RuntimeError("shapes do not fit")
