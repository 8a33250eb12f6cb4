"""From the authors' checkpoint to a model folder: exactly, completely, in little memory, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

from models.encoder import SpeechClipEncoder
from models.errors import CheckpointError, ConversionError
from models.folder import ModelFolder, find_model
from models.listeners import pad
from models.official import read_official
from models.official.convert import convert
from models.official.file import open_official
from tests.official_checkpoint import official_content, tensors_of, write_official
from tests.peak_memory import peak_of
from tests.tiny_model import tiny_config, tiny_speechclip

ROOT = Path(__file__).resolve().parents[3]
VARIANTS = (
    "parallel_base",
    "parallel_large",
    "cascaded_base",
    "cascaded_large",
    "hybrid_base",
    "hybrid_large_flickr",
    "hybrid_large_coco",
    "cascaded_plus_base",
    "cascaded_plus_large_coco",
    "hybrid_plus_base",
    "hybrid_plus_large_flickr",
)
HEADS = 2  # of HuBERT in the tiny model
FIXTURE_HEADS = 4
VOCABULARY = [0, 320, 612, 613, 271, 5]


def official_config() -> dict[str, object]:
    """A tiny model whose CLIP has heads as wide as the published ones."""
    config = tiny_config().model_dump()
    config["clip"]["text"] |= {"width": 64, "heads": 1}
    config["clip"]["vision"] |= {"width": 64, "head_width": 64}
    return config


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint. It is only read."""
    model = tiny_speechclip(type(tiny_config()).model_validate(official_config()))
    return write_official(tmp_path_factory.mktemp("official") / "epoch_1.ckpt", official_content(model, VOCABULARY))


def converted(checkpoint: Path, out: Path) -> ModelFolder:
    return convert(checkpoint, out, "tiny/parallel", hubert_heads=HEADS)


def test_the_folder_is_the_checkpoint(written: Path, tmp_path: Path) -> None:
    folder = converted(written, tmp_path / "model")
    official = read_official(written, "tiny/parallel", HEADS)

    assert sorted(os.listdir(tmp_path / "model")) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "vocabulary.json",
    ]
    assert folder == find_model(str(tmp_path / "model"))
    assert folder.config == official.config
    assert folder.config.name == "tiny/parallel"
    assert list(folder.vocabulary) == VOCABULARY
    tensors = load_file(folder.path / "model.safetensors")
    assert tensors.keys() == official.state_dict.keys()
    for name, tensor in official.state_dict.items():
        assert torch.equal(tensors[name], tensor), name


def test_what_only_training_needs_is_left_out(written: Path, tmp_path: Path) -> None:
    names = " ".join(load_file(converted(written, tmp_path / "model").path / "model.safetensors"))

    for unused in ("criterion", "eye_mat", "label_embs", "final_proj"):
        assert unused in " ".join(open_official(written).tensors)
        assert unused not in names


def test_the_same_checkpoint_makes_the_same_model(written: Path, tmp_path: Path) -> None:
    one, two = converted(written, tmp_path / "one"), converted(written, tmp_path / "two")

    assert one.fingerprint == two.fingerprint


def test_half_precision_is_stored_in_single(written: Path, tmp_path: Path) -> None:
    model = tiny_speechclip(type(tiny_config()).model_validate(official_config()))
    content = official_content(model, VOCABULARY)
    content["state_dict"] = {name: tensor.half() for name, tensor in tensors_of(content).items()}
    folder = converted(write_official(tmp_path / "half.ckpt", content), tmp_path / "model")

    for name, tensor in folder.load().state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name].half().float()), name


def test_the_card_says_where_the_model_is_from(written: Path, tmp_path: Path) -> None:
    card = (converted(written, tmp_path / "model").path / "README.md").read_text(encoding="utf-8")

    assert card.startswith("# tiny/parallel\n")
    assert f"| SHA-256 | {hashlib.sha256(written.read_bytes()).hexdigest()} |" in card
    assert f"| File | {written.name.replace('_', '_')} |" in card
    assert "| Branch | parallel |" in card
    assert "| Dimensions of an embedding | 8 |" in card
    assert "## Licence\n\nNot stated" in card


def test_a_strangers_settings_stay_text_in_the_card(written: Path, tmp_path: Path) -> None:
    model = tiny_speechclip(type(tiny_config()).model_validate(official_config()))
    content = official_content(model, VOCABULARY)
    content["hyper_parameters"]["config"]["clip"] = {"name": "x\n\n# Licence\n\nMIT <script>|[a](b)" + "y" * 1000}
    card = (
        converted(write_official(tmp_path / "odd.ckpt", content), tmp_path / "model").path / "README.md"
    ).read_text()

    assert "\\<script\\>\\|\\[a\\](b)" in card
    assert "\n# Licence" not in card
    assert max(map(len, card.splitlines())) < 200


def test_progress_is_told_in_bytes_to_the_end(written: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    convert(written, tmp_path / "model", "tiny", lambda done, total: told.append((done, total)), HEADS)

    assert told[-1][0] == told[-1][1] > written.stat().st_size
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert len({total for _, total in told}) == 1


def test_what_is_there_already_is_refused_unread(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()

    with pytest.raises(ConversionError, match="is there already"):
        converted(tmp_path / "none.ckpt", tmp_path / "model")


def test_a_refused_checkpoint_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.ckpt").write_bytes(b"no checkpoint")

    with pytest.raises(CheckpointError):
        converted(tmp_path / "bad.ckpt", tmp_path / "model")
    assert os.listdir(tmp_path) == ["bad.ckpt"]


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_values_that_are_no_numbers_are_refused_by_name(tmp_path: Path, value: float) -> None:
    model = tiny_speechclip(type(tiny_config()).model_validate(official_config()))
    content = official_content(model, VOCABULARY)
    tensors_of(content)["parallel_branch.linear_proj.weight"].view(-1)[5] = value
    write_official(tmp_path / "bad.ckpt", content)

    with pytest.raises(CheckpointError, match=r"parallel_branch\.linear_proj\.weight has values that are no numbers"):
        converted(tmp_path / "bad.ckpt", tmp_path / "model")
    assert os.listdir(tmp_path) == ["bad.ckpt"]


def test_too_little_room_is_told_before_anything_is_written(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))

    with pytest.raises(ConversionError, match="no room for the model"):
        converted(written, tmp_path / "model")
    assert os.listdir(tmp_path) == []


def test_a_disk_that_does_not_keep_what_is_written_is_found_out(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_flipped(path: str) -> ModelFolder:
        data = bytearray((weights := Path(path) / "model.safetensors").read_bytes())
        data[-100] ^= 1
        weights.write_bytes(data)
        return find_model(path)

    monkeypatch.setattr("models.official.convert.find_model", find_flipped)

    with pytest.raises(ConversionError, match="reads back otherwise than it was written"):
        converted(written, tmp_path / "model")
    assert os.listdir(tmp_path) == []


KILLED = """
import sys, time
from pathlib import Path
from models.official.convert import convert

def stop(done, total):
    if done > {share} * total:
        print("there", flush=True)
        time.sleep(600)

convert(Path({checkpoint!r}), Path({out!r}), "tiny", stop, {heads})
"""
FULL = """
import resource, sys
from pathlib import Path
from models.official.convert import convert

resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))  # the disk refuses after so many bytes
convert(Path({checkpoint!r}), Path({out!r}), "tiny", None, {heads})
"""


def python(program: str, **values: object) -> subprocess.Popen[str]:
    filled = program.format(
        **{name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
    )
    return subprocess.Popen(
        [sys.executable, "-c", filled], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_kill_leaves_no_half_folder_and_the_next_try_works(written: Path, tmp_path: Path, share: float) -> None:
    with python(KILLED, share=share, checkpoint=written, out=tmp_path / "model", heads=HEADS) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        with pytest.raises(ConversionError, match="is in use"):
            converted(written, tmp_path / "model")
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "model").exists()

    converted(written, tmp_path / "model").load()
    assert os.listdir(tmp_path) == ["model"]


@pytest.mark.slow
def test_a_full_disk_is_a_clear_error(written: Path, tmp_path: Path) -> None:
    with python(FULL, limit=10_000, checkpoint=written, out=tmp_path / "model", heads=HEADS) as process:
        _, errors = process.communicate()

    assert "ConversionError: " in errors
    assert "model cannot be written: File too large" in errors
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_memory_stays_below_the_file(tmp_path: Path) -> None:
    """Some 60 MB, against what the imports alone take."""
    config = official_config()
    config["clip"]["text"] |= {"vocab_size": 49408, "width": 256, "heads": 4}  # type: ignore[index]
    model = tiny_speechclip(type(tiny_config()).model_validate(config))
    checkpoint = write_official(tmp_path / "medium.ckpt", official_content(model, list(range(8000))))
    size = checkpoint.stat().st_size
    made = peak_of(
        "from models.official.convert import convert",
        f"convert(Path({str(checkpoint)!r}), Path({str(tmp_path / 'model')!r}), 'medium', hubert_heads={HEADS})",
    )
    loaded = peak_of(
        "from models.folder import find_model",
        f"model = find_model({str(tmp_path / 'model')!r}).load()",
    )

    assert size > 50e6
    for peak in (made, loaded):
        assert peak.all - peak.before < 1.5 * size


@pytest.mark.parametrize("name", VARIANTS)
def test_a_converted_model_embeds_as_the_checkpoint_read_directly(parity: Path, tmp_path: Path, name: str) -> None:
    checkpoint = parity / name / "model.ckpt"
    folder = convert(checkpoint, tmp_path / name, name, hubert_heads=FIXTURE_HEADS)
    direct = read_official(checkpoint, name, FIXTURE_HEADS).build()
    with np.load(parity / "common" / "wavs.npz") as file:
        waves: list[NDArray[np.float32]] = [file[f"wav{place}"] for place in range(4)]
    encoder, converted = SpeechClipEncoder(folder, "cpu"), folder.load()
    picture = Image.fromarray(np.random.default_rng(7122).integers(0, 255, (70, 90, 3), np.uint8))

    assert folder.config.branch == name.removesuffix("_base").split("_large")[0].replace("_plus", "+")
    assert encoder.branches
    for branch in encoder.branches:
        with torch.inference_mode():
            expected = direct.embed_speech(*pad(waves), branch=branch)
            assert torch.equal(converted.embed_speech(*pad(waves), branch=branch), expected)
        np.testing.assert_allclose(encoder.embed_speech(waves, branch).vectors, expected.numpy(), rtol=0, atol=1e-5)
    for vectors in (encoder.embed_images([picture]), encoder.embed_texts(["a dog", "two cats"])):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert json.loads((folder.path / "vocabulary.json").read_bytes()) == list(
        np.load(parity / name / "text_clip_vocab_usage_byfreq.npy")[:, 0]
    )
