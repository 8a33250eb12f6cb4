"""Recall while a model is trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training.nano.retrieval import RANKS
from training.published.validation import Seen, figures


def test_it_is_counted_as_the_authors_do(parity: Path) -> None:
    with np.load(parity / "units" / "units.npz") as units:
        arrays = {name.removeprefix("retrieval/"): units[name] for name in units if name.startswith("retrieval/")}
    last = {id: row for row, id in enumerate(arrays["image_ids"].tolist())}
    ids = arrays["audio_ids"].tolist()
    found = figures(ids, arrays["audio_feat"], np.stack([arrays["image_feat"][last[id]] for id in ids]))

    for k in RANKS:
        for ours, theirs in (("speech_to_image", "AI"), ("image_to_speech", "IA"), ("recall_mean", "mean")):
            assert found[f"{ours}_{k}"] == pytest.approx(float(arrays[f"{theirs}/recall@{k}"]), abs=1e-4)


def test_of_several_vectors_of_an_image_the_first_is_taken() -> None:
    speech = np.eye(4, dtype=np.float32)

    assert set(figures([0, 1, 0, 2], speech, speech[[0, 1, 3, 3]]).values()) == {100.0}


def test_batches_may_come_in_any_order() -> None:
    speech, images = torch.eye(6), torch.eye(6)
    ids, places = torch.arange(6), torch.arange(6)
    seen = Seen()
    for rows in ([4, 5], [0, 1], [2, 3]):
        seen.add(places[rows], ids[rows], speech[rows], images[rows])

    assert set(seen.recalls().values()) == {100.0}


def test_nothing_seen_is_no_recall() -> None:
    assert Seen().recalls() == {}
    assert Seen().by_all().pairs == 0
