"""Flickr8k with the Flickr Audio Caption Corpus.

    Images/<image>.jpg
    Flickr_8k.{train,dev,test}Images.txt      which image is in which split, one file name a line
    flickr_audio/wavs/<image>_<n>.wav         caption n of the image, spoken
    Flickr8k_idPairs.json                     {"filename2Id": {"<image>": id}, ...}; without it, ids are the places
                                              in the sorted list of all images, which is how that file was made
    Flickr8k.token.txt                        or captions.txt, or Flickr8k.lemma.token.txt: what is said

Only images with a recording count. Pairs come in the order of the list, then of the captions: the authors' own order is
whatever the file system gives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from training.datasets.dataset import Dataset, Pair
from training.datasets.flickr_captions import read_captions
from training.datasets.folder import Folder
from training.datasets.identity import ImageId
from training.datasets.names import inside, printable
from training.errors import DatasetError

SPLITS = ("train", "dev", "test")
IMAGES, WAVS, ID_PAIRS = "Images", "flickr_audio/wavs", "Flickr8k_idPairs.json"
WAV = re.compile(r"(?P<image>.+)_(?P<number>[0-9]{1,9})\.wav", re.DOTALL)

Recordings = Mapping[str, Mapping[int, str]]
"""image, without its suffix -> number of the caption -> file name of the recording"""


class IdPairs(BaseModel):
    """The part of the authors' file that is used."""

    filename2Id: dict[str, ImageId]


class Flickr8k:
    """The corpus in one folder; see the module."""

    def __init__(self, root: Path) -> None:
        self._folder = Folder(root)
        self.splits: Sequence[str] = [split for split in SPLITS if self._folder.has(_list_of(split))]
        if not self.splits:
            raise DatasetError(f"{printable(root)} is no Flickr8k: it has no {_list_of('test')}, train or dev")

    def read(self, split: str) -> Dataset:
        names, duplicates = self._images(split)
        recordings, captions = self._recordings(), read_captions(self._folder)
        ids = self._ids([_stem(name) for name in names if _stem(name) in recordings])
        pairs, missing = list[Pair](), list[str]()
        for name in names:
            spoken = recordings.get(_stem(name), {})
            said = captions.get(name, {})
            missing += _absent_recordings(_stem(name), spoken, said)
            if not self._folder.has(f"{IMAGES}/{name}"):
                missing.append(printable(f"{IMAGES}/{name}"))
            elif spoken:
                pairs += self._pairs(name, ids[_stem(name)], spoken, said)
        return Dataset("flickr8k", split, pairs, missing, duplicates=duplicates)

    def _images(self, split: str) -> tuple[list[str], list[str]]:
        """The images that the list of a split names, and what it names again."""
        path, names, duplicates = _list_of(split), dict[str, None](), list[str]()
        for line in self._folder.text_of(path).split("\n"):
            if not (line := line.strip()):
                continue
            name = inside(line, path)
            if name in names:
                duplicates.append(printable(f"{path}: {name}"))
            names[name] = None
        return list(names), duplicates

    def _recordings(self) -> Recordings:
        found = dict[str, dict[int, str]]()
        for name in sorted(self._folder.names(WAVS)):
            if match := WAV.fullmatch(name):
                found.setdefault(match["image"], {})[int(match["number"])] = name
        if not found:
            raise DatasetError(f"{printable(self._folder.root)} has no recordings {WAVS}/<image>_<number>.wav")
        return found

    def _ids(self, images: Sequence[str]) -> Mapping[str, int]:
        if not self._folder.has(ID_PAIRS):
            stems = sorted({_stem(name) for name in self._folder.names(IMAGES)} | set(images))
            return {stem: place for place, stem in enumerate(stems)}
        ids = self._folder.json_of(ID_PAIRS, IdPairs).filename2Id
        if unknown := [image for image in images if image not in ids]:
            raise DatasetError(
                f"{ID_PAIRS} has no id for {len(unknown)} images, such as {printable(unknown[0])}; without that file, "
                "ids are given here"
            )
        return ids

    def _pairs(self, name: str, id: int, spoken: Mapping[int, str], said: Mapping[int, str]) -> Iterator[Pair]:
        image = self._folder.source(f"{IMAGES}/{name}")
        for number, wav in sorted(spoken.items()):
            audio = self._folder.source(f"{WAVS}/{wav}")
            yield Pair(printable(wav.removesuffix(".wav")), audio, image, id, said.get(number))


def _absent_recordings(image: str, spoken: Mapping[int, str], said: Mapping[int, str]) -> list[str]:
    """Captions nobody speaks; all of them where there is no recording of an image and no text either."""
    if not spoken and not said:
        return [printable(f"{WAVS}/{image}_*.wav")]
    return [printable(f"{WAVS}/{image}_{number}.wav") for number in sorted(said.keys() - spoken.keys())]


def _list_of(split: str) -> str:
    return f"Flickr_8k.{split}Images.txt"


def _stem(name: str) -> str:
    return name.partition(".")[0]
