"""The files of the default collections."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from tests.training.fake_packages import HEART, SHOWN
from training.nano.gallery import SIDE, write_gallery
from training.nano.lexicon import Lexicon


def test_every_drawing_is_written_small_and_transparent(packages: Path, lexicon: Lexicon, tmp_path: Path) -> None:
    assert write_gallery(packages, tmp_path, lexicon) == len(SHOWN)
    with Image.open(tmp_path / "drawings" / "2764.webp") as image:
        pixels = np.asarray(image)

    assert pixels.shape == (SIDE, SIDE, 4)
    assert pixels[0, 0, 3] == 0
    np.testing.assert_allclose(pixels[SIDE // 2, SIDE // 2], [*HEART.colour, 255], atol=12)


def test_the_lexicon_beside_them_says_what_they_are_called(packages: Path, lexicon: Lexicon, tmp_path: Path) -> None:
    write_gallery(packages, tmp_path, lexicon)
    entries = json.loads((tmp_path / "lexicon.json").read_text(encoding="utf-8"))

    assert entries[0] == {"id": "1f436", "symbol": "🐶", "name": "dog face", "keywords": ["dog", "pet"]}
    assert [entry["id"] for entry in entries] == [emoji.id for emoji in lexicon.emoji]
    assert {path.stem for path in (tmp_path / "drawings").iterdir()} == {entry["id"] for entry in entries}


def test_writing_it_again_gives_the_same_files(packages: Path, lexicon: Lexicon, tmp_path: Path) -> None:
    def written() -> dict[str, bytes]:
        write_gallery(packages, tmp_path, lexicon)
        return {path.name: path.read_bytes() for path in tmp_path.rglob("*.*")}

    assert written() == written()
