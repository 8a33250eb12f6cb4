"""SpokenCOCO, in the split of Karpathy and in its own.

    SpokenCOCO/<prefix>_{train,val,test}.json   {"data": [{"image", "captions": [{"text", "uttid", "wav", ...}],
                                                "reassign_id"}]}; paths in it are relative to the next two folders
    SpokenCOCO/wavs/...
    mscoco_img/{train2014,val2014}/COCO_val2014_<number>.jpg

With the prefix `SpokenCOCO_ksplit`, an image's id is its `reassign_id`; with `SpokenCOCO`, its number in COCO. Texts
are lower-cased, as the authors do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from pydantic import BaseModel

from training.datasets.dataset import Dataset, Pair
from training.datasets.folder import Folder
from training.datasets.identity import ImageId
from training.datasets.names import inside, printable
from training.errors import DatasetError

KARPATHY, PLAIN = "SpokenCOCO_ksplit", "SpokenCOCO"
SPLITS = ("train", "val", "test")
AUDIO, IMAGES = "SpokenCOCO", "mscoco_img"
COCO_NUMBER = re.compile(r".*_(?P<number>[0-9]{1,18})\.jpg", re.DOTALL)


class Caption(BaseModel):
    """One spoken caption; without a `uttid` it is named by its file."""

    text: str
    wav: str
    uttid: str | None = None


class Entry(BaseModel):
    """One image and its captions."""

    image: str
    captions: list[Caption]
    reassign_id: ImageId | None = None


class Listing(BaseModel):
    """One of the JSON files."""

    data: list[Entry]


class SpokenCoco:
    """The corpus in one folder, split as the files with `prefix` say; see the module."""

    def __init__(self, root: Path, prefix: str) -> None:
        self._folder, self._prefix = Folder(root), prefix
        self.splits: Sequence[str] = [split for split in SPLITS if self._folder.has(self._list_of(split))]
        if not self.splits:
            raise DatasetError(f"{printable(root)} has no {self._list_of('val')}, train or test")

    def read(self, split: str) -> Dataset:
        path = self._list_of(split)
        missing, duplicates = dict[str, None](), list[str]()
        pairs = dict[str, Pair]()
        for entry in self._folder.json_of(path, Listing).data:
            for pair in self._pairs(entry, path):
                absent = [source.name for source in (pair.audio, pair.image) if not self._folder.holds(source)]
                missing.update(dict.fromkeys(absent))
                if pair.utterance in pairs:
                    duplicates.append(f"{path}: {pair.utterance}")
                elif not absent:
                    pairs[pair.utterance] = pair
        name = "spokencoco" if self._prefix == KARPATHY else "spokencoco-plain"
        return Dataset(name, split, list(pairs.values()), list(missing), duplicates=duplicates)

    def _pairs(self, entry: Entry, path: str) -> Iterator[Pair]:
        """Of one image, whether its files are there or not."""
        image = self._folder.source(f"{IMAGES}/{inside(entry.image, path)}")
        id = self._id(entry, path)
        for caption in entry.captions:
            wav = inside(caption.wav, path)
            name = printable(caption.uttid or PurePosixPath(wav).stem)
            yield Pair(name, self._folder.source(f"{AUDIO}/{wav}"), image, id, caption.text.lower())

    def _id(self, entry: Entry, path: str) -> int:
        if self._prefix == KARPATHY:
            if entry.reassign_id is None:
                raise DatasetError(f"{path} has no reassign_id for {printable(entry.image)}")
            return entry.reassign_id
        match = COCO_NUMBER.fullmatch(entry.image)
        if not match:
            raise DatasetError(f"{path} names {printable(entry.image)}, which has no number of COCO before its .jpg")
        return int(match["number"])

    def _list_of(self, split: str) -> str:
        return f"{AUDIO}/{self._prefix}_{split}.json"
