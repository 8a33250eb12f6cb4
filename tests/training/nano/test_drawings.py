"""Drawings by four vendors, each in the layout of its own package."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.training.fake_packages import CLOCK, SHOWN
from training.nano.drawings import HELD_OUT, SIZE, TRAINING, cached_vendor, load_drawings, render_vendor
from training.nano.lexicon import Lexicon, drawing_id, load_lexicon

VENDORS = (*TRAINING, HELD_OUT)
DRAWN = {"noto": range(6), "noto-v1": (0, 1, 2, 5), "openmoji": range(5), "twemoji": range(6)}
"""noto-v1 goes by names, and its keycaps are called otherwise."""


def test_the_held_out_vendor_is_not_trained_on() -> None:
    assert HELD_OUT not in TRAINING


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_vendor_shows_each_emoji_it_has_in_its_colour_on_white(vendor: str, packages: Path, lexicon: Lexicon) -> None:
    pixels, positions = render_vendor(packages, vendor, lexicon)

    assert positions.tolist() == list(DRAWN[vendor])
    assert pixels.shape == (len(positions), SIZE, SIZE, 3)
    assert pixels.dtype == np.uint8
    for picture, position in zip(pixels, positions, strict=True):
        assert picture[0, 0].tolist() == [255, 255, 255]
        np.testing.assert_allclose(picture[SIZE // 2, SIZE // 2], SHOWN[position].colour, atol=2)


def test_drawings_go_by_code_points_without_the_presentation_selector(packages: Path, lexicon: Lexicon) -> None:
    for vendor in VENDORS:
        assert drawing_id("2764-FE0F") in load_drawings(packages, vendor, lexicon)
    assert drawing_id(CLOCK.hexcode) not in load_drawings(packages, "openmoji", lexicon)


def test_a_character_without_an_icon_is_left_out(packages: Path, lexicon: Lexicon) -> None:
    assert "1f47b" not in load_drawings(packages, "noto", lexicon)


def test_an_unknown_vendor_is_refused(packages: Path, lexicon: Lexicon) -> None:
    with pytest.raises(ValueError, match="unknown vendor 'nobody'"):
        load_drawings(packages, "nobody", lexicon)


def test_drawings_are_rendered_once(packages: Path, lexicon: Lexicon, tmp_path: Path) -> None:
    first = cached_vendor(packages, tmp_path / "work", "twemoji", lexicon)
    again = cached_vendor(tmp_path / "no packages", tmp_path / "work", "twemoji", lexicon)

    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["drawings-twemoji.npz"]


def test_another_lexicon_has_them_rendered_again(packages: Path, lexicon: Lexicon, tmp_path: Path) -> None:
    cached_vendor(packages, tmp_path, "noto", lexicon)
    _, positions = cached_vendor(packages, tmp_path, "noto", Lexicon(lexicon.emoji[2:]))

    assert positions.tolist() == [0, 1, 2, 3]


def test_a_rendering_that_fails_leaves_nothing(packages: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(packages, tmp_path / "packages"))
    png = next((broken / "emoji-datasource-twitter").rglob("*.png"))
    png.write_bytes(png.read_bytes()[:60])

    with pytest.raises(OSError, match="truncated"):
        cached_vendor(broken, tmp_path / "work", "twemoji", load_lexicon(broken))
    assert list((tmp_path / "work").iterdir()) == []
