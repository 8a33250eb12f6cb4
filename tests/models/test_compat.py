"""Each test has a Python of its own: what is imported, and in which order, is what is tested."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PREPARE = "from models.compat import prepare; mended = prepare()\n"


def run(code: str, *packages: Path) -> str:
    """What `code` prints, with `packages` found before the installed ones."""
    path = os.pathsep.join(str(folder) for folder in (*packages, ROOT))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def fake_package(folder: Path, name: str, extension: str, head: str = "from . import _extension") -> Path:
    """A package that imports its loader of compiled code first, as torchaudio does."""
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(head)
    (folder / name / "_extension.py").write_text(extension)
    return folder


def test_everything_that_needs_the_two_packages_imports_and_works() -> None:
    code = PREPARE + (
        "import torch, torchvision.transforms, torchaudio.functional, open_clip\n"
        "from PIL import Image\n"
        "from transformers import HubertConfig, HubertModel\n"
        "steps = [torchvision.transforms.Resize(8), torchvision.transforms.ToTensor()]\n"
        "print(*torchvision.transforms.Compose(steps)(Image.new('RGB', (16, 16))).shape)\n"
        "print(*torchaudio.functional.resample(torch.zeros(1, 480), 48_000, 16_000).shape)\n"
        "print(*torchaudio.functional.lowpass_biquad(torch.zeros(1, 480), 16_000, 300.0).shape)\n"
        "print(*open_clip.get_tokenizer('ViT-B-32')(['a dog']).shape)\n"
        "print(HubertConfig().hidden_size, HubertModel.__name__)\n"
    )
    assert run(code).splitlines() == ["3 8 8", "1 160", "1 480", "1 77", "768 HubertModel"]


def test_a_second_call_changes_nothing() -> None:
    code = PREPARE + (
        "import sys; extension = sys.modules['torchaudio._extension']\n"
        "print(prepare(), sys.modules['torchaudio._extension'] is extension)\n"
    )
    assert run(code) == "[] True"


@pytest.mark.parametrize(
    "failure",
    [
        "raise OSError('libc10_cuda.so: cannot open shared object file')",
        "raise RuntimeError('PyTorch and TorchAudio were compiled with different CUDA versions')",
        "raise ImportError('Failed to load libtorchaudio')",
    ],
)
def test_torchaudio_is_mended_whatever_its_compiled_half_fails_with(tmp_path: Path, failure: str) -> None:
    packages = fake_package(tmp_path, "torchaudio", failure)
    code = PREPARE + (
        "import torchaudio\n"
        "print('torchaudio' in mended, torchaudio._extension._IS_TORCHAUDIO_EXT_AVAILABLE)\n"
        "try:\n    torchaudio._extension.fail_if_no_align(max)(1, 2)\n"
        "except RuntimeError as error:\n    print(error)\n"
    )
    assert run(code, packages).splitlines() == [
        "True False",
        "max needs the compiled half of torchaudio, which does not load here",
    ]


def test_packages_that_import_by_themselves_are_left_alone(tmp_path: Path) -> None:
    fake_package(tmp_path, "torchaudio", "loaded = True")
    fake_package(tmp_path, "torchvision", "loaded = True")
    code = PREPARE + (
        "import torch, torchaudio\nprint(mended, torchaudio._extension.loaded, hasattr(torch.ops.torchvision, 'nms'))\n"
    )
    assert run(code, tmp_path) == "[] True False"


def test_torchvision_is_given_the_operators_that_it_misses(tmp_path: Path) -> None:
    head = "import torch\ntorch.library.register_fake('torchvision::nms')(lambda dets, scores, iou_threshold: dets)"
    fake_package(tmp_path, "torchaudio", "")
    fake_package(tmp_path, "torchvision", "", head)
    assert run(PREPARE + "import torchvision; print(mended)", tmp_path) == "['torchvision']"


@pytest.mark.parametrize("address", ["http://[bad", "http://hub:port"])
def test_an_address_of_the_hub_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    code = (
        "from models.errors import ModelError\n"
        "try:\n    import models.hubert\n"
        "except ModelError as error:\n    print(error)\n"
    )
    assert run(code).startswith("HF_ENDPOINT is not the address of a hub: ")
