"""Corpora of a few captions, laid out exactly as the real ones are."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from functools import cache
from io import BytesIO
from pathlib import Path

from PIL import Image

from tests.audio_files import encode, tone

RATE = 16_000
SECONDS = 0.5

FLICKR_SPLITS = {
    "train": ["1000268201_693b08cb0e", "1001773457_577c3a7d70", "1002674143_1b742ab4b8"],
    "dev": ["1141718391_24164bf1b1"],
    "test": ["1056338697_4f7d7ce270", "106490881_5a2dd9b7bd"],
}
COCO_IMAGES = {"train": ["train2014/COCO_train2014_000000522418"], "val": ["val2014/COCO_val2014_000000325114"]}


@cache
def recording(seconds: float = SECONDS) -> bytes:
    return encode(tone(seconds, RATE), RATE, "wav-16")


@cache
def picture(kind: str = "jpeg", shade: int = 90) -> bytes:
    file = BytesIO()
    Image.new("RGB", (24, 16), (shade, 60, 30)).save(file, kind)
    return file.getvalue()


def write(path: Path, data: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def flickr_caption(image: str, number: int) -> str:
    return f"A {'black' if number % 2 else 'brown'} Dog , number {number} of {image} ."


def write_flickr(root: Path, captions: int = 5) -> Path:
    """Flickr8k with the Flickr Audio Caption Corpus."""
    tokens = list[str]()
    for split, images in FLICKR_SPLITS.items():
        write(root / f"Flickr_8k.{split}Images.txt", "".join(f"{image}.jpg\n" for image in images))
        for image in images:
            write(root / "Images" / f"{image}.jpg", picture())
            for number in range(captions):
                write(root / "flickr_audio" / "wavs" / f"{image}_{number}.wav", recording())
                tokens.append(f"{image}.jpg#{number}\t{flickr_caption(image, number)}\n")
    write(root / "Flickr8k.token.txt", "".join(tokens))
    write(root / "Flickr8k_idPairs.json", json.dumps(flickr_ids()))
    return root


def flickr_images() -> list[str]:
    return sorted(image for images in FLICKR_SPLITS.values() for image in images)


def flickr_ids() -> dict[str, object]:
    """Places among all images that there are: eight thousand in the real corpus, so not those of six."""
    images = list(enumerate(flickr_images(), start=100))
    return {
        "id2Filename": {str(id): image for id, image in images},
        "filename2Id": {image: id for id, image in images},
        "filenamesWithSplitName": FLICKR_SPLITS,
    }


def coco_entry(split: str, image: str, id: int | None, captions: int = 2) -> dict[str, object]:
    number = int(image.rpartition("_")[2])
    names = [f"m1vjq8cayvs6c9-{caption}NLZY2D53_{number}_{629297 + caption}" for caption in range(captions)]
    said = [
        {
            "text": f"A URINAL IN A PUBLIC RESTROOM, {caption}",
            "speaker": "m1vjq8cayvs6c9",
            "uttid": name,
            "wav": f"wavs/{split}/0/{name}.wav",
        }
        for caption, name in enumerate(names)
    ]
    entry: dict[str, object] = {"image": f"{image}.jpg", "captions": said}
    return entry if id is None else {**entry, "reassign_id": id}


def write_coco(root: Path) -> Path:
    """SpokenCOCO, with its own two splits and the three of Karpathy."""
    entries = {split: coco_entry(split, images[0], None) for split, images in COCO_IMAGES.items()}
    for split, entry in entries.items():
        write(root / "SpokenCOCO" / f"SpokenCOCO_{split}.json", json.dumps({"data": [entry]}))
        write(root / "mscoco_img" / str(entry["image"]), picture())
        for name in wavs_of(entry):
            write(root / "SpokenCOCO" / name, recording())
    # Karpathy takes test images from COCO's val2014.
    for id, (split, source) in enumerate({"train": "train", "test": "val"}.items(), start=7):
        listing = {"data": [{**entries[source], "reassign_id": id}]}
        write(root / "SpokenCOCO" / f"SpokenCOCO_ksplit_{split}.json", json.dumps(listing))
    return root


def wavs_of(entry: Mapping[str, object]) -> list[str]:
    captions = entry["captions"]
    assert isinstance(captions, list)
    return [caption["wav"] for caption in captions]


def tar_of(members: Iterable[tuple[str, bytes]]) -> bytes:
    file = BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


def scene(stem: str, text: str = "two cats") -> list[tuple[str, bytes]]:
    """A sample with one caption."""
    return [(f"{stem}.jpg", picture()), (f"{stem}.wav", recording()), (f"{stem}.txt", text.encode())]
