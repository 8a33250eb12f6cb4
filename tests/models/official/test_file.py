"""Opening a stranger's checkpoint runs nothing in it, and costs no more than the file has."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from models.errors import CheckpointError
from models.official.file import OfficialFile, open_official
from tests.official_checkpoint import write_official


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.ckpt"


def content(**tensors: torch.Tensor) -> dict[str, Any]:
    return {
        "epoch": 3,
        "global_step": 17,
        "state_dict": OrderedDict(tensors),
        "hyper_parameters": {"config": {"data": {"name": "flickr", "sizes": [1, 2]}, "seed": 7122}},
    }


def refusal(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        open_official(path)
    return str(caught.value)


def with_pickle(path: Path, pickled: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", b"little")
        archive.writestr("archive/version", b"3\n")
    return path


def rewritten(path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """The same archive, some of its members changed."""
    with zipfile.ZipFile(path) as archive:
        members = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members:
            if not name.rpartition("/")[2].startswith("."):  # they say that members are where torch puts them
                archive.writestr(aligned(zipfile.ZipInfo(name), archive.start_dir), change(name, data))
    return path


def aligned(entry: zipfile.ZipInfo, offset: int) -> zipfile.ZipInfo:
    """With as much in its header as puts its data where every version of torch has it: at a multiple of 64."""
    padding = -(offset + 30 + len(entry.filename) + 4) % 64
    entry.extra = b"FB" + padding.to_bytes(2, "little") + bytes(padding)
    return entry


def test_a_checkpoint_is_opened(path: Path) -> None:
    file = open_official(write_official(path, content(a=torch.arange(6.0).view(2, 3), b=torch.tensor(3))))

    assert file.tensors.keys() == {"a", "b"}
    assert torch.equal(file.tensors["a"], torch.arange(6.0).view(2, 3))
    assert torch.equal(file.tensors["b"], torch.tensor(3))
    assert (file.epoch, file.steps) == (3, 17)
    assert (file.setting("data.name"), file.setting("seed"), file.setting("data.sizes")) == ("flickr", 7122, [1, 2])
    assert file.setting("trainer.logger", "absent") is None
    assert file.setting("data.name.deeper", "absent") == "absent"


def test_an_archive_without_torchs_hints_is_opened(path: Path) -> None:
    """So are those that older versions wrote."""
    write_official(path, content(a=torch.arange(6.0), b=torch.arange(5)))
    file = open_official(rewritten(path, lambda name, data: data))

    assert torch.equal(file.tensors["a"], torch.arange(6.0))
    assert torch.equal(file.tensors["b"], torch.arange(5))


def test_views_parameters_and_shared_storages_come_back(path: Path) -> None:
    whole = torch.arange(24.0)
    tensors = {
        "part": whole[4:10],
        "transposed": whole.view(4, 6).T,
        "parameter": torch.nn.Parameter(whole),
        "half": whole.half(),
        "empty": torch.zeros(0, 3),
        "mask": whole > 3,
    }
    file = open_official(write_official(path, content(**tensors)))

    for name, tensor in tensors.items():
        assert file.tensors[name].dtype == tensor.dtype
        assert torch.equal(file.tensors[name], tensor), name


def test_released_tensors_are_read_again(path: Path) -> None:
    file = open_official(write_official(path, content(a=torch.arange(100_000.0))))
    before = file.tensors["a"].sum()
    file.release()

    assert file.tensors["a"].sum() == before


def test_the_file_is_not_changed_through_its_tensors(path: Path) -> None:
    before = write_official(path, content(a=torch.ones(10))).read_bytes()
    open_official(path).tensors["a"].zero_()

    assert path.read_bytes() == before


def test_a_memory_bomb_is_refused_by_its_name(path: Path) -> None:
    """torch itself would let it through: 100 GB of zeros in 40 bytes."""
    with_pickle(path, b"\x80\x02c__builtin__\nbytearray\n\x8a\x05\0\xe8\x76\x48\x17\x85R.")

    assert "wants to import __builtin__.bytearray" in refusal(path)


@pytest.mark.parametrize(
    ("pickled", "name"),
    [
        (b"cposix\nsystem\n(S'true'\ntR.", "posix.system"),
        (b"(S'true'\niposix\nsystem\n.", "posix.system"),
        (b"\x80\x04\x8c\x05posix\x8c\x06system\x93.", "posix.system"),
        (b"\x80\x04\x8c\x0bcollections\x8c\x0bOrderedDict\x93)R.", "collections.OrderedDict (STACK_GLOBAL)"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"ctorch\nload\n.", "torch.load"),
        (b"cbuiltins\neval\n.", "builtins.eval"),
        (b"cavssl.base.ordered_namespace\nOrderedNamespace.__class__\n.", "OrderedNamespace.__class__"),
        (b"ctorch._utils\n_rebuild_device_tensor_from_numpy\n.", "_rebuild_device_tensor_from_numpy"),
    ],
)
def test_whatever_is_imported_is_named(path: Path, pickled: bytes, name: str) -> None:
    message = refusal(with_pickle(path, pickled))

    assert "refused: it wants to import" in message
    assert name in message


@pytest.mark.parametrize(
    "pickled",
    [
        b"",
        b".",
        b"\x80\x02",
        b"\x80\xff}.",
        b"\x80\x02" + b"(" * 1000,
        b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
        b"\x80\x02\x8a\x04\xff\xff\xff\x7f.",  # a number longer than the pickle
        b"\x8b\xff\xff\xff\xff.",  # of a negative length
        b"X\xff\xff\xff\x7fabc.",  # a text longer than the pickle
        b"I" + b"9" * 10_000 + b"\n.",  # a number that takes long to read
        b"\x80\x02}q\x00h\x01.",  # remembers what was never said
        b"\x80\x02K\x01.",
        b"\x80\x02].",
    ],
)
def test_pickles_that_make_no_sense_are_refused(path: Path, pickled: bytes) -> None:
    message = refusal(with_pickle(path, pickled))

    assert "cannot be read" in message or "not in the authors' layout" in message


def test_settings_that_explode_are_refused_unexploded(path: Path) -> None:
    """Forty lists, each twice the one before: some hundred bytes that look like a million million lists."""
    doubled: list[object] = []
    for _ in range(40):
        doubled = [doubled, doubled]
    bad = content(a=torch.ones(1))
    bad["hyper_parameters"]["config"]["data"] = doubled

    assert "settings are no checkpoint" in refusal(write_official(path, bad))


def test_settings_that_hold_themselves_are_refused(path: Path) -> None:
    endless: list[object] = []
    endless.append(endless)
    bad = content(a=torch.ones(1))
    bad["hyper_parameters"]["config"]["data"] = endless

    assert "settings are no checkpoint" in refusal(write_official(path, bad))


def test_settings_that_are_no_plain_values_are_nothing(path: Path) -> None:
    odd = content(a=torch.ones(1))
    config = odd["hyper_parameters"]["config"]
    config |= {"number": 1 << 70, "tensor": torch.ones(3), "pair": (1, "x"), 7: "seven", (1, 2): "pair"}
    config["text"] = "long" * 1000
    file = open_official(write_official(path, odd))

    assert (file.setting("number", 0), file.setting("tensor", 0), file.setting("pair")) == (None, None, [1, "x"])
    assert (file.setting("7"), file.setting("text")) == (None, "long" * 1000)


@pytest.mark.parametrize("value", [-1, 1 << 70, "17", None, 1.5])
def test_a_count_that_is_none_is_not_told(path: Path, value: object) -> None:
    odd = content(a=torch.ones(1)) | {"global_step": value}

    assert open_official(write_official(path, odd)).steps is None


def storage_pickle(size: tuple[int, ...], stride: tuple[int, ...], numbers: int, offset: int = 0) -> bytes:
    """A checkpoint whose one tensor says what it likes of the storage `0`."""

    class Storage:
        pass

    class Tensor:
        def __reduce__(self) -> tuple[object, ...]:
            return torch._utils._rebuild_tensor_v2, (Storage(), offset, size, stride, False, OrderedDict())

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj: object) -> object:
            return ("storage", torch.FloatStorage, "0", "cpu", numbers) if isinstance(obj, Storage) else None

    out = io.BytesIO()
    Pickler(out, 2).dump({"state_dict": {"a": Tensor()}, "hyper_parameters": {"config": {}}})
    return out.getvalue()


def lying(path: Path, *described: Any) -> Path:
    write_official(path, content(a=torch.arange(100.0), b=torch.arange(50.0)))
    pickled = storage_pickle(*described)
    return rewritten(path, lambda name, data: pickled if name.endswith("data.pkl") else data)


def test_a_tensor_that_describes_its_storage_rightly_is_read(path: Path) -> None:
    file = open_official(lying(path, (2, 50), (50, 1), 100))

    assert torch.equal(file.tensors["a"], torch.arange(100.0).view(2, 50))


@pytest.mark.parametrize(
    "described",
    [
        ((99,), (1,), 99),  # shorter than the member
        ((101,), (1,), 101),  # reaches into what follows
        ((1 << 40,), (1,), 1 << 40),  # beyond the file
        ((101,), (1,), 100),  # more numbers than its storage has
        ((100,), (1,), 100, 1),
        ((1 << 20, 1 << 20), (0, 0), 100),  # a number repeated into terabytes
        ((100, 100), (1, 1), 100),
        ((-1,), (1,), 100),
        ((1 << 62, 4), (1, 1), 100),
        ((100,), (1,), 100, -1),
    ],
)
def test_a_tensor_that_lies_of_its_storage_is_refused(path: Path, described: tuple[object, ...]) -> None:
    message = refusal(lying(path, *described))

    assert "a is not what the archive has for it" in message or "cannot be read" in message


@pytest.mark.parametrize("described", [((100,), (-1,), 100), ((50, 2), (1, -1), 100), ((100,), (1,), -100)])
def test_what_torch_takes_for_a_slip_reads_nothing_but_the_member(path: Path, described: tuple[object, ...]) -> None:
    tensor = open_official(lying(path, *described)).tensors["a"]

    assert tensor.untyped_storage().nbytes() == 400
    assert min(tensor.stride()) > 0
    assert set(tensor.flatten().tolist()) <= set(range(100))


def test_a_file_that_cannot_be_read_is_told(path: Path) -> None:
    file = write_official(path, content(a=torch.ones(1)))
    data = bytearray(file.read_bytes())
    at = data.index(b"hyper_parameters")
    data[at : at + 16] = b"\xff" * 16
    file.write_bytes(data)

    assert "cannot be read" in refusal(file)


def test_opening_again_gives_the_same(path: Path) -> None:
    write_official(path, content(a=torch.arange(9.0)))
    first, second = open_official(path), open_official(path)

    assert isinstance(first, OfficialFile)
    assert first.settings == second.settings
    assert torch.equal(first.tensors["a"], second.tensors["a"])
