"""safetensors files written tensor by tensor are what the library reads."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from models.tensor_file import pieces, write_tensors


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    random = torch.Generator().manual_seed(7122)
    tensors = {
        "matrix": torch.randn(64, 32, generator=random),
        "transposed": torch.randn(3, 5, generator=random).T,
        "part": torch.randn(9, 9, generator=random)[1:4, 2:7],
        "repeated": torch.randn(1, 4, generator=random).expand(3, 4),
        "half": torch.randn(7, generator=random).half(),
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 4),
        "count": torch.tensor(1 << 40),
        "mask": torch.tensor([True, False, True]),
        'odd name " \\ ☃': torch.nn.Parameter(torch.ones(2)),
    }
    write_tensors(tmp_path / "file", tensors)
    loaded = load_file(tmp_path / "file")

    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor), name


def test_large_tensors_are_aligned_as_a_mapped_matrix_wants_it(tmp_path: Path) -> None:
    write_tensors(tmp_path / "file", {"a": torch.zeros(()), "b": torch.zeros(13), "c": torch.zeros(16, 16)})
    header = int.from_bytes((tmp_path / "file").read_bytes()[:8], "little")

    assert (8 + header) % 64 == 0
    with safe_open(tmp_path / "file", framework="pt") as file:
        assert next(iter(file.offset_keys())) == "c"


def test_every_byte_is_told_in_its_order(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(5 << 20), "b": torch.arange(3)}
    told: dict[str, list[bytes]] = {}
    write_tensors(tmp_path / "file", tensors, lambda name, piece: told.setdefault(name, []).append(bytes(piece)))

    assert b"".join(told["a"]) == tensors["a"].numpy().tobytes()
    assert len(told["a"]) > 1
    assert b"".join(told["b"]) == b"".join(bytes(piece) for piece in pieces(tensors["b"]))


def test_the_same_tensors_make_the_same_file(tmp_path: Path) -> None:
    tensors = {"a": torch.zeros(3), "b": torch.ones(64)}
    write_tensors(tmp_path / "one", tensors)
    write_tensors(tmp_path / "two", dict(reversed(tensors.items())))

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_file_in_use_is_replaced_and_not_written_to(tmp_path: Path) -> None:
    write_tensors(tmp_path / "file", {"a": torch.ones(1000)})
    used = load_file(tmp_path / "file")["a"]
    write_tensors(tmp_path / "file", {"a": torch.zeros(2000)})

    assert torch.equal(used, torch.ones(1000))
    assert torch.equal(load_file(tmp_path / "file")["a"], torch.zeros(2000))
    assert os.listdir(tmp_path) == ["file"]


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    write_tensors(tmp_path / "file", {"a": torch.ones(10)})

    def fail(name: str, piece: memoryview) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_tensors(tmp_path / "file", {"a": torch.zeros(10)}, fail)
    assert torch.equal(load_file(tmp_path / "file")["a"], torch.ones(10))


def test_a_kind_of_number_that_no_model_has_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match=re.escape("torch.complex64")):
        write_tensors(tmp_path / "file", {"a": torch.zeros(1, dtype=torch.complex64)})
