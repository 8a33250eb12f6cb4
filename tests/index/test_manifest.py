from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from index.errors import CollectionDamaged
from index.manifest import IndexFile, Manifest

MANIFEST = Manifest(
    name="images",
    kind="images",
    dim=8,
    fingerprint="f" * 64,
    media_root="/srv/büro",
    index=IndexFile(seq=3, count=2, sha256="0" * 64),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    MANIFEST.write(folder)
    return folder


def test_what_is_written_is_read(folder: Path) -> None:
    assert Manifest.read(folder) == MANIFEST
    assert [path.name for path in folder.iterdir()] == ["manifest.json"]


def test_it_says_all_there_is_to_know_of_the_collection(folder: Path) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    del content["checksum"]
    assert content == {
        "format": 1,
        "name": "images",
        "kind": "images",
        "dim": 8,
        "fingerprint": "f" * 64,
        "media_root": "/srv/büro",
        "records": "records.sqlite",
        "recipe": "Flat",
        "recall": 0.95,
        "index": {"seq": 3, "count": 2, "sha256": "0" * 64},
    }


def test_writing_again_replaces_it(folder: Path) -> None:
    MANIFEST.model_copy(update={"index": None}).write(folder)
    assert Manifest.read(folder).index is None


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"7", b"\xff\xfe", b"[" * 100_000, b'{"format": 1}', b'{"format": 1, "checksum": 7}']
)
def test_nonsense_is_damage(folder: Path, content: bytes) -> None:
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(CollectionDamaged, match=r"manifest\.json of 'images' is damaged.*delete the collection"):
        Manifest.read(folder)


def test_every_changed_bit_is_damage_unless_it_means_the_same(folder: Path) -> None:
    path = folder / "manifest.json"
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        try:
            assert Manifest.read(folder) == MANIFEST, place
        except CollectionDamaged:
            continue


def test_every_cut_is_damage(folder: Path) -> None:
    path = folder / "manifest.json"
    whole = path.read_bytes()
    for length in range(len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(CollectionDamaged):
            Manifest.read(folder)


def test_a_missing_manifest_is_damage(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    with pytest.raises(CollectionDamaged, match=r"'images' has no manifest\.json: restore"):
        Manifest.read(folder)


def test_a_later_format_is_named(folder: Path) -> None:
    (folder / "manifest.json").write_text('{"format": 2}')
    with pytest.raises(CollectionDamaged, match="it is of format 2, this version reads format 1"):
        Manifest.read(folder)


def test_a_renamed_folder_is_named(folder: Path) -> None:
    with pytest.raises(CollectionDamaged, match="the folder 'other' holds the collection 'images'"):
        Manifest.read(folder.rename(folder.with_name("other")))


@pytest.mark.parametrize("wrong", [{"dim": 0}, {"kind": "films"}, {"fingerprint": ""}, {"recipe": "HNSW32"}])
def test_a_manifest_is_valid_when_made(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Manifest.model_validate({**MANIFEST.model_dump(), **wrong})
