"""`speechclip data check`."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.audio_files import encode, tone
from tests.training.datasets.tiny_corpora import (
    FLICKR_SPLITS,
    SECONDS,
    coco_entry,
    picture,
    recording,
    scene,
    tar_of,
    write,
    write_coco,
    write_flickr,
)
from training.datasets.cli import LISTED, app

FIRST, SECOND = FLICKR_SPLITS["test"]


def check(*words: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["check", *map(str, words)])
    return result.exit_code, result.stdout, result.stderr


def report(*words: object) -> tuple[int, Any]:
    status, out, _ = check(*words, "--json")
    return status, json.loads(out)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_flickr(tmp_path / "flickr")


def test_a_sound_corpus_is_counted(root: Path) -> None:
    status, out, err = check("flickr8k", root)

    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "train: 3 images, 15 utterances, 15 with text, 0.00 hours",
        "dev: 1 images, 5 utterances, 5 with text, 0.00 hours",
        "test: 2 images, 10 utterances, 10 with text, 0.00 hours",
        "Everything that is named is there.",
    ]


@pytest.mark.parametrize("decode", [(), ("--decode",)])
def test_hours_are_those_of_the_recordings(root: Path, decode: tuple[str, ...]) -> None:
    status, found = report("flickr8k", root, "--split", "test", *decode)

    (split,) = found["splits"]
    assert (status, found["sound"], found["kind"], found["root"]) == (0, True, "flickr8k", str(root))
    assert (split["split"], split["images"], split["utterances"], split["measured"]) == ("test", 2, 10, 10)
    assert split["hours"] == pytest.approx(10 * SECONDS / 3600, rel=1e-3)


def test_of_many_recordings_some_are_measured(tmp_path: Path) -> None:
    members = [("s.jpg", picture())]
    members += [(f"s.{number}.wav", recording()) for number in range(450)]
    write(tmp_path / "train.tar", tar_of(members))

    _, found = report("webdataset", tmp_path)
    assert found["splits"][0]["measured"] == 113
    assert found["splits"][0]["hours"] == pytest.approx(450 * SECONDS / 3600, rel=1e-3)

    assert "450 utterances, 0 with text, about 0.1 hours" in check("webdataset", tmp_path)[1]


def test_files_that_are_missing_are_listed_and_the_status_is_1(root: Path) -> None:
    (root / "Images" / f"{FIRST}.jpg").unlink()

    status, out, _ = check("flickr8k", root, "--split", "test")

    assert status == 1
    assert out.splitlines()[1:] == ["  missing: 1", f"    Images/{FIRST}.jpg", "Not everything is as it should be."]


def test_long_lists_are_cut_for_people_only(root: Path) -> None:
    for image in FLICKR_SPLITS["train"][1:]:
        for wav in (root / "flickr_audio" / "wavs").glob(f"{image}*"):
            wav.unlink()
    with (root / "Flickr8k.token.txt").open("a") as file:
        file.write(f"{FLICKR_SPLITS['train'][0]}.jpg#5\tNobody says so .\n")

    _, out, _ = check("flickr8k", root, "--split", "train")
    _, found = report("flickr8k", root, "--split", "train")

    assert "  missing: 11\n" in out
    assert out.count("    flickr_audio/wavs/") == LISTED
    assert "    and 1 more; --json lists all\n" in out
    assert len(found["splits"][0]["missing"]) == 11


def test_a_split_of_which_nothing_is_left_is_not_sound(root: Path) -> None:
    write(root / "Flickr_8k.testImages.txt", "")

    status, out, _ = check("flickr8k", root, "--split", "test")

    assert status == 1
    assert out.splitlines()[0] == "test: 0 images, 0 utterances, 0 with text"


def test_recordings_and_images_that_cannot_be_read_are_listed(root: Path) -> None:
    write(root / "flickr_audio" / "wavs" / f"{FIRST}_0.wav", b"no audio")
    write(root / "Images" / f"{SECOND}.jpg", b"")

    status, found = report("flickr8k", root, "--split", "test")

    audio, image = found["splits"][0]["unreadable"]
    assert status == 1
    assert audio.startswith(f"flickr_audio/wavs/{FIRST}_0.wav: these 8 bytes are no readable audio file")
    assert image == f"Images/{SECOND}.jpg: no readable image, UnidentifiedImageError"


def gradient() -> bytes:
    """An image that is more than its header."""
    file = BytesIO()
    Image.linear_gradient("L").save(file, "jpeg")
    return file.getvalue()


def test_what_only_decoding_finds_is_found_by_decoding(root: Path) -> None:
    sound, image = encode(tone(2.0, 16_000), 16_000, "flac-16"), gradient()
    write(root / "flickr_audio" / "wavs" / f"{FIRST}_0.wav", sound[: len(sound) // 2])
    write(root / "flickr_audio" / "wavs" / f"{FIRST}_1.wav", encode(0 * tone(1.0, 16_000), 16_000, "wav-16"))
    write(root / "Images" / f"{SECOND}.jpg", image[: len(image) // 2])

    assert report("flickr8k", root, "--split", "test")[0] == 0
    _, found = report("flickr8k", root, "--split", "test", "--decode")

    broken, silent, cut = found["splits"][0]["unreadable"]
    assert "breaks off" in broken
    assert "nothing but silence" in silent
    assert cut == f"Images/{SECOND}.jpg: no readable image, OSError"
    assert found["splits"][0]["measured"] == 8


def test_an_image_of_endless_size_is_not_decoded(root: Path) -> None:
    bomb = bytearray(picture("png"))
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    write(root / "Images" / f"{FIRST}.jpg", bytes(bomb))

    _, found = report("flickr8k", root, "--split", "test", "--decode")

    assert len(found["splits"][0]["unreadable"]) == 1


def test_images_of_several_splits_are_told(root: Path) -> None:
    write(root / "Flickr_8k.testImages.txt", f"{FIRST}.jpg\n{FLICKR_SPLITS['train'][0]}.jpg\n")

    status, out, _ = check("flickr8k", root)

    assert status == 1
    assert f"images that are in several splits: 1\n    Images/{FLICKR_SPLITS['train'][0]}.jpg\n" in out


def test_ids_of_several_images_are_told(tmp_path: Path) -> None:
    root = write_coco(tmp_path)
    entries = [coco_entry("val", "val2014/COCO_val2014_000000325114", 8)]
    entries.append(coco_entry("train", "train2014/COCO_train2014_000000522418", 8))
    write(root / "SpokenCOCO" / "SpokenCOCO_ksplit_test.json", json.dumps({"data": entries}))

    status, out, _ = check("spokencoco", root, "--split", "test")

    assert status == 1
    assert "  ids that several images have: 1\n    8\n" in out


def test_copies_of_an_image_do_not_share_its_id(tmp_path: Path) -> None:
    samples = [member for stem in "ab" for member in (*scene(stem), (f"{stem}.json", b'{"image_id": 3}'))]
    write(tmp_path / "train.tar", tar_of(samples))

    status, found = report("webdataset", tmp_path)

    assert status == 0
    assert (found["splits"][0]["images"], found["splits"][0]["utterances"]) == (1, 2)


def test_what_is_there_twice_is_told_and_does_no_harm(root: Path) -> None:
    write(root / "Flickr_8k.testImages.txt", f"{FIRST}.jpg\n{FIRST}.jpg\n")

    status, out, _ = check("flickr8k", root, "--split", "test")

    assert status == 0
    assert f"named again, and left out: 1\n    Flickr_8k.testImages.txt: {FIRST}.jpg\n" in out


def test_names_that_steer_a_terminal_are_shown_as_such(tmp_path: Path) -> None:
    write(tmp_path / "my.csv", "audio,image\n\x1b[2Ja.wav,b.png\n")

    status, out, _ = check("manifest", tmp_path / "my.csv")

    assert status == 1
    assert "    \\x1b[2Ja.wav\n" in out


def test_what_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    assert check("flickr8k", tmp_path / "nowhere") == (1, "", f"Error: there is no {tmp_path}/nowhere\n")
    assert check("places", tmp_path)[2].startswith("Error: 'places' is no kind of corpus")
