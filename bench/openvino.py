"""Speech to vectors by OpenVINO, which is no dependency: `pip install openvino`, `python -m bench.openvino [MODEL...]`.

The whole network of a parallel model is compiled, once for one length of audio and once for any.
"""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench import full_size
from bench.encode import noise
from bench.measure import Contender, compare
from bench.reference import Reference
from bench.report import Report
from models.config import Precision
from models.encoder import SpeechClipEncoder
from models.folder import ModelFolder
from models.speechclip import SpeechClip

MODELS, SECONDS, SEED, ROUNDS = ("base-parallel", "nano"), (3.0, 10.0), 7122, 5
PRECISIONS: Mapping[Precision, str] = {"fp32": "f32", "bf16": "bf16"}
"""By OpenVINO's names."""
NEW, LESS = "a new length each time", 320  # samples: one frame
Encode = Callable[[], NDArray[np.float32]]


class _Speech(nn.Module):
    """(1, N) -> (1, E): one utterance without padding."""

    def __init__(self, network: SpeechClip) -> None:
        super().__init__()
        self.network = network

    def forward(self, wave: Tensor) -> Tensor:
        length = torch.ones_like(wave).sum(1).long()  # a number would stay as it was when the network was traced
        return self.network.embed_speech(wave, length, "official")


def main(models: Sequence[str]) -> None:
    """Print a report."""
    torch.set_num_threads(1)
    report = Report("OpenVINO", {"seed": SEED, "rounds": ROUNDS, "threads": 1})
    for model in models:
        folder = full_size.model(model, SEED)
        ours = [full_size.encoder(folder, precision) for precision in PRECISIONS]
        for seconds in SECONDS:
            report.add(f"{model}, {seconds:g} s", measured(folder, ours, noise(seconds, 1, SEED)[0]))
    print(report.to_markdown(), end="")


def measured(folder: ModelFolder, ours: Sequence[SpeechClipEncoder], wave: NDArray[np.float32]) -> list[dict[str, Any]]:
    """The reference first; each of the others beside it, with the cosine error of what it gives."""
    reference, runs = Reference(folder.load()), compiled(folder.load(), wave)
    for one in ours:
        runs[f"packed, {one.precision}"] = lambda one=one: one.embed_speech([wave]).vectors  # type: ignore[misc]
    rivals = [Contender(name, run) for name, run in runs.items()]
    found = compare(Contender("reference", lambda: reference.embed_speech([wave])), rivals, ROUNDS, 2)
    expected, rows = reference.embed_speech([wave]).astype(np.float64), [found.candidate.row()]
    for number, (series, run) in enumerate(zip(found.rivals, runs.values(), strict=True)):
        error = None if NEW in series.name else 1 - float((run() * expected).sum(1).min())
        rows.append({**series.row(), "faster": 1 / found.ratio(number).median, "cosine error": error})
    return rows


@torch.inference_mode()
def compiled(network: SpeechClip, wave: NDArray[np.float32]) -> dict[str, Encode]:
    """By the precision of its products."""
    openvino: Any = importlib.import_module("openvino")  # of which mypy need not know
    given = wave[None]
    converted = openvino.convert_model(_Speech(network), example_input=torch.from_numpy(given))
    made: dict[str, Encode] = {}
    for lengths, shape in (("one length", given.shape), ("any length", (1, -1))):
        converted.reshape(list(shape))
        for precision, name in PRECISIONS.items():
            told = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": name, "PERFORMANCE_HINT": "LATENCY"}
            request: Any = openvino.compile_model(converted, "CPU", told).create_infer_request()
            made[f"OpenVINO, {lengths}, {precision}"] = _encoding(request, given, less=0)
            if shape[1] == -1:
                made[f"OpenVINO, {NEW}, {precision}"] = _encoding(request, given, LESS)
    return made


def _encoding(request: Any, given: NDArray[np.float32], less: int) -> Encode:
    """less: samples that every call is given less of: what is arranged for a length is arranged anew."""
    ends = itertools.count(given.shape[1], -less)

    def run() -> NDArray[np.float32]:
        found: NDArray[np.float32] = request.infer([given[:, : next(ends)]])[0]
        return found

    return run


if __name__ == "__main__":
    main(sys.argv[1:] or MODELS)
