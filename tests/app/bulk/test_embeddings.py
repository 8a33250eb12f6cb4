"""Folders of ready-made vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest
from numpy.typing import NDArray

from app.bulk.embeddings import Embeddings, is_embeddings
from app.bulk.errors import SourceError
from app.bulk.items import Bad, Found, Item
from index.manifest import Kind

DIM = 16


def part(
    folder: Path, number: int, rows: list[dict[str, object]], vectors: NDArray[np.floating], name: str = "img_emb"
) -> Path:
    for below in (name, "metadata"):
        (folder / below).mkdir(parents=True, exist_ok=True)
    np.save(folder / name / f"{name}_{number}.npy", vectors)
    pq.write_table(pa.Table.from_pylist(rows), folder / "metadata" / f"metadata_{number}.parquet")
    return folder


def vectors(count: int, seed: int = 0, dim: int = DIM) -> NDArray[np.float16]:
    return np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float16)


def read(folder: Path, kind: Kind = "images", root: Path | None = None) -> list[Found]:
    return list(Embeddings(folder).items(kind, root))


def good(found: list[Found]) -> list[Item]:
    return [one for one in found if isinstance(one, Item)]


def test_rows_and_vectors_of_all_parts_come_together(tmp_path: Path) -> None:
    for number in (0, 10, 9):
        row: dict[str, object] = {"image_path": f"{number}/0.jpg", "caption": "c0", "n": 0}
        other: dict[str, object] = {"image_path": f"{number}/1.jpg", "caption": "c1", "n": 1}
        part(tmp_path, number, [row, other], vectors(2, number))

    found = good(read(tmp_path))
    assert is_embeddings(tmp_path)
    assert [one.record.id for one in found] == ["0/0.jpg", "0/1.jpg", "9/0.jpg", "9/1.jpg", "10/0.jpg", "10/1.jpg"]
    assert (found[3].record.caption, found[3].record.metadata) == ("c1", {"n": 1})
    expected = vectors(2, 9)[1].astype(np.float64)
    assert np.asarray(found[3].content) == pytest.approx(expected / np.linalg.norm(expected), abs=1e-6)
    assert np.linalg.norm(np.asarray(found[3].content)) == pytest.approx(1, abs=1e-6)


def test_images_and_texts_have_vectors_of_their_own(tmp_path: Path) -> None:
    part(tmp_path, 0, [{"caption": "a"}], vectors(1, 1))
    part(tmp_path, 0, [{"caption": "a"}], vectors(1, 2), "text_emb")

    (image,), (text,) = good(read(tmp_path, "images")), good(read(tmp_path, "captions"))
    assert Embeddings(tmp_path).kinds == ("images", "captions", "keywords")
    assert not np.array_equal(np.asarray(image.content), np.asarray(text.content))
    assert image.record.id == "metadata_0/1"


def test_files_below_the_media_root_can_be_shown(tmp_path: Path) -> None:
    paths = (str(tmp_path / "photos/a.jpg"), "b.jpg", "/elsewhere/c.jpg", "../d.jpg")
    rows: list[dict[str, object]] = [{"image_path": path, "url": None} for path in paths]
    rows.append({"image_path": "e.jpg", "url": "https://example.org/e.jpg"})
    part(tmp_path / "e", 0, rows, vectors(5))

    assert [one.record.uri for one in good(read(tmp_path / "e", root=tmp_path / "photos"))] == [
        "a.jpg", "b.jpg", None, None, "https://example.org/e.jpg"
    ]  # fmt: skip
    assert [one.record.uri for one in good(read(tmp_path / "e"))][:2] == [None, None]


def test_vectors_that_point_nowhere_are_told(tmp_path: Path) -> None:
    some = vectors(4)
    some[1], some[2, 3] = 0, np.nan
    part(tmp_path, 0, [{"id": n} for n in range(4)], some)

    found = read(tmp_path)
    assert [one.where for one in found if isinstance(one, Bad)] == ["metadata_0.parquet:2", "metadata_0.parquet:3"]
    assert [one.record.id for one in good(found)] == ["0", "3"]


def test_a_part_that_does_not_fit_is_passed_over_as_a_whole(tmp_path: Path) -> None:
    part(tmp_path, 0, [{"id": "good"}], vectors(1))
    part(tmp_path, 1, [{"id": "one"}], vectors(2))
    part(tmp_path, 2, [{"id": "other"}], vectors(1, dim=8))
    (tmp_path / "img_emb/img_emb_3.npy").write_bytes(b"\x93NUMPY")
    np.save(tmp_path / "img_emb/img_emb_4.npy", vectors(1))
    np.save(tmp_path / "img_emb/img_emb_5.npy", np.array([[{}]]), allow_pickle=True)

    found = read(tmp_path)
    assert [one.record.id for one in good(found)] == ["good"]
    bad = {one.where: one.reason for one in found if isinstance(one, Bad)}
    assert list(bad) == [f"img_emb_{number}.npy" for number in (1, 2, 3, 4, 5)]
    assert bad["img_emb_1.npy"] == "there are 2 vectors, but 1 rows in metadata_1.parquet"
    assert bad["img_emb_2.npy"] == "its vectors have 8 numbers, those of other parts 16"


def test_a_folder_without_arrays_is_refused(tmp_path: Path) -> None:
    (tmp_path / "img_emb").mkdir()
    with pytest.raises(SourceError, match="neither"):
        Embeddings(tmp_path)
