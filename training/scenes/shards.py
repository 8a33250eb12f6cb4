"""Tar files of scenes, as `training.datasets.webdataset` reads them, each of which is made by itself.

    000123.jpg  000123.0.flac  000123.0.txt  ...  000123.4.flac  000123.4.txt  000123.json

The same seed, split and number give the same bytes, on machines with the same voices.
"""

from __future__ import annotations

import io
import json
import os
import random
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from models.audio import SAMPLE_RATE
from training.nano.drawings import load_drawings
from training.nano.lexicon import load_lexicon
from training.scenes.captions import Caption, captions
from training.scenes.cast import Cast, Spoken, heard_in_training, never_heard
from training.scenes.compose import compose
from training.scenes.picture import Painter
from training.scenes.scene import Group, Scene
from training.scenes.splits import SPLITS, Split
from training.scenes.things import Catalogue, catalogue

CAPTIONS = 5

QUALITY = 92
LOUDEST = 0.98 * 32767  # a little room, for what resamples it

Member = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a tar file depends on, beside its split and number.

    shares: of the engines; unheard: of those that speak test_voices; size: scenes in a tar file.
    """

    packages: Path
    seed: int
    shares: Mapping[str, float]
    unheard: Mapping[str, float]
    size: int = 100


def make_shard(recipe: Recipe, path: Path, split: str, number: int) -> Path:
    """Write tar file `number` of a split to `path`: whole, or not at all."""
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, data in _members(recipe, SPLITS[split], number):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    return path


def _members(recipe: Recipe, split: Split, shard: int) -> Iterator[Member]:
    drawn, painter = studio(recipe.packages, split.vendors)
    cast = _cast(recipe, split, shard * recipe.size)
    for number in range(shard * recipe.size, (shard + 1) * recipe.size):
        scene = draw_scene(drawn, split, recipe.seed, number)
        said = captions(scene, CAPTIONS, _rng(recipe.seed, split, number, "captions"))
        spoken = cast.speak([caption.spoken for caption in said], _rng(recipe.seed, split, number, "voices"))
        picture = io.BytesIO()
        painter.picture(scene).save(picture, "JPEG", quality=QUALITY, subsampling=0)
        yield f"{number:06d}.jpg", picture.getvalue()
        for label, (caption, voice) in enumerate(zip(said, spoken, strict=True)):
            yield f"{number:06d}.{label}.flac", _flac(voice.wave)
            yield f"{number:06d}.{label}.txt", caption.text.encode()
        yield f"{number:06d}.json", json.dumps(_facts(number, scene, said, spoken)).encode()


def draw_scene(drawn: Catalogue, split: Split, seed: int, number: int) -> Scene:
    """Scene `number` of a split, as many draws as it takes."""
    rng = _rng(seed, split, number, "scene")
    while not split.admits(scene := compose(drawn, rng)):
        pass
    return scene


def _rng(seed: int, split: Split, number: int, what: str) -> random.Random:
    return random.Random(f"{seed}/{split.name}/{number}/{what}")


@cache
def studio(packages: Path, vendors: tuple[str, ...]) -> tuple[Catalogue, Painter]:
    """Once for all tar files that a process makes."""
    lexicon = load_lexicon(packages)
    drawn = catalogue(lexicon, {vendor: load_drawings(packages, vendor, lexicon) for vendor in vendors})
    return drawn, Painter(drawn)


def _cast(recipe: Recipe, split: Split, start: int) -> Cast:
    """New for each tar file: some engines go on from what they said before."""
    seed = _rng(recipe.seed, split, start, "noise").randrange(1 << 31)
    if split.new_voices:
        return Cast(never_heard(recipe.packages), recipe.unheard, seed, varied=False)
    return Cast(heard_in_training(recipe.packages), recipe.shares, seed, varied=True)


def _flac(wave: NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, (wave * LOUDEST).astype(np.int16), SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _facts(number: int, scene: Scene, said: list[Caption], spoken: list[Spoken]) -> Mapping[str, Any]:
    return {
        "image_id": number,
        "backdrop": scene.backdrop.colour or scene.backdrop.kind,
        "things": [_thing(group) for group in scene.groups],
        "captions": [
            {"text": caption.text, "voice": voice.voice, "seconds": round(len(voice.wave) / SAMPLE_RATE, 3)}
            for caption, voice in zip(said, spoken, strict=True)
        ],
    }


def _thing(group: Group) -> Mapping[str, Any]:
    squares = [one.where for one in group.placed]
    return {
        "name": group.thing.name,
        "paint": group.paint.name if group.paint else None,
        "asleep": group.asleep,
        "drawing": f"{group.vendor}/{group.drawing}",
        "boxes": [[round(side, 1) for side in (s.left, s.top, s.right, s.bottom)] for s in squares],
    }
