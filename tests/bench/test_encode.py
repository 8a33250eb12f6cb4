"""The benchmark of the encoder, and that the encoder has not become slow: ratios within one run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import full_size
from bench.encode import Wish, encode, flops, noise
from bench.measure import Contender, compare
from bench.reference import Reference
from models.packed.support import can_pack
from models.speechclip import SpeechClip
from tests.tiny_model import STYLES, VOCABULARY, BranchName, Style, tiny_config, tiny_speechclip


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("branch", ["parallel", "cascaded", "hybrid", "hybrid+"])
def test_the_rival_gives_the_same_vectors(branch: BranchName, style: Style) -> None:
    network = tiny_speechclip(tiny_config(style, branch)).requires_grad_(False)
    waves = noise(0.5, 2, seed=1)
    expected = torch.cat([network.embed_speech(torch.from_numpy(wave)[None], torch.tensor([8_000])) for wave in waves])

    np.testing.assert_allclose(Reference(network).embed_speech(waves), expected, rtol=0, atol=1e-5)


def test_its_report_has_a_row_for_every_contender() -> None:
    report = encode(Wish(["nano"], [0.5], [1, 2], rounds=1, seed=1, threads=1))

    (section,) = report.sections
    names = [row[""] for row in section.rows]
    assert names[:2] == ["reference", "fp32"]
    assert [row["audio"] for row in section.rows][:: len(names) // 2] == ["0.5 s x 1", "0.5 s x 2"]
    assert all(row["cosine error"] < 1e-6 for row in section.rows if row[""] == "fp32")


def test_operations_are_those_of_the_products() -> None:
    network = tiny_speechclip()

    assert flops(network, noise(1, 1, 0)) * 3 == flops(network, noise(1, 3, 0))
    assert flops(network, noise(2, 1, 0)) > 1.9 * flops(network, noise(1, 1, 0))


def test_models_of_full_size_are_what_was_published() -> None:
    sizes = {}
    for name in full_size.NAMES[1:]:
        with torch.device("meta"):
            network = SpeechClip(full_size.config(name), full_size.model(name, 0).vocabulary)
        sizes[name] = sum(weight.numel() for weight in network.parameters()) / 1e6

    assert sizes["base-parallel"] == pytest.approx(257.6, rel=0.03)
    assert sizes["large-parallel"] == pytest.approx(763.8, rel=0.03)


@pytest.mark.skipif(not can_pack(), reason="nothing is packed where oneDNN is not")
def test_the_encoder_is_faster_than_its_rival() -> None:
    """Twice as fast where it was measured; here with two of twelve layers, and a limit that noise does not reach."""
    config = full_size.config("base-parallel")
    audio = config.audio.model_copy(update={"layers": 2})
    small = config.model_copy(update={"audio": audio, "clip": tiny_config().clip})
    folder = full_size.RandomModel(Path(), small, VOCABULARY, "small", 0)
    encoder, reference, waves = full_size.encoder(folder), Reference(folder.load()), noise(1, 1, 0)

    def ratio() -> float:
        ours = Contender("ours", lambda: encoder.embed_speech(waves))
        theirs = Contender("theirs", lambda: reference.embed_speech(waves))
        return compare(ours, [theirs], rounds=3, warm_ups=1).ratio().median

    assert any(ratio() > 1.2 for _ in range(5))
