"""The engine of many machines, on a cluster of this machine alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.bulk import ray_engine
from app.bulk.embedding import Embedded
from app.bulk.items import File, Item
from index.records import Record
from tests.fake_encoder import WORDS, FakeEncoder, drawn

pytest.importorskip("ray")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own, about itself
def test_it_embeds_as_one_process_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "WINDOW", 40)
    items, words = list[Item](), list(WORDS)
    for number in range(60):
        path = tmp_path / f"{number}.png"
        path.write_bytes(drawn(words[number % len(words)]) if number != 7 else b"no image")
        items.append(Item(Record(str(number)), File(path), path.name, 2.0))

    with ray_engine.embedded(items, "images", FakeEncoder, 1.0, 8) as batches:
        found: list[Embedded] = list(batches)

    vectors = {record.id: vector for one in found for record, vector in zip(one.records, one.vectors, strict=True)}
    assert vectors.keys() == {str(number) for number in range(60)} - {"7"}
    for id, vector in vectors.items():
        assert np.array_equal(vector, FakeEncoder().vector(words[int(id) % len(words)]))
    assert [bad.where for one in found for bad in one.bad] == ["7.png"]
    assert max(len(one.records) for one in found) <= 8
