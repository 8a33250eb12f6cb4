from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from index.durable import files
from index.durable.media import SCHEME, Media, is_name, name_of

DATA = b"a picture"
NAME = name_of(DATA, ".png")


@pytest.fixture
def media(tmp_path: Path) -> Media:
    return Media(tmp_path)


def test_a_file_is_named_by_what_is_in_it() -> None:
    assert is_name(NAME)
    assert name_of(DATA, ".png") != name_of(DATA + b"!", ".png")


@pytest.mark.parametrize("name", ["", ".png", "../x.png", "0" * 64, "0" * 63 + ".png", "0" * 64 + ".", NAME + "\n"])
def test_other_names_are_none(media: Media, name: str) -> None:
    assert not is_name(name)
    assert media.path(SCHEME + name) is None
    with pytest.raises(ValueError, match="no name"):
        media.keep({name: DATA})


def test_what_is_kept_is_found(media: Media) -> None:
    media.keep({NAME: DATA})

    path = media.path(SCHEME + NAME)
    assert path is not None
    assert path.read_bytes() == DATA
    for uri in (None, NAME, "https://example.org/" + NAME, SCHEME + name_of(b"other", ".png")):
        assert media.path(uri) is None


def test_a_damaged_file_is_made_good_when_it_is_kept_again(media: Media) -> None:
    media.keep({NAME: DATA})
    path = media.path(SCHEME + NAME)
    assert path is not None
    path.write_bytes(b"")

    media.keep({NAME: DATA})

    assert path.read_bytes() == DATA


def test_links_are_not_followed(media: Media, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    path = media.prepare(NAME)
    path.symlink_to(tmp_path / "secret")

    assert media.path(SCHEME + NAME) is None


def test_what_nobody_names_is_swept(media: Media, tmp_path: Path) -> None:
    other = name_of(b"other", ".wav")
    media.keep({NAME: DATA, other: b"other"})
    torn = media.prepare(NAME).with_name(f".{NAME}.{'0' * 32}.new")
    torn.write_bytes(b"ha")
    torn.with_name(f".{NAME}.new").write_bytes(b"lf")  # by an earlier version
    strange = torn.with_name("notes.txt")
    strange.write_text("somebody's own")

    assert media.sweep({SCHEME + NAME}) == (3, len(b"other" + b"half"))
    assert media.path(SCHEME + NAME) is not None
    assert media.path(SCHEME + other) is None
    assert strange.exists()
    assert media.sweep(set()) == (1, len(DATA))


def test_a_file_and_every_folder_above_it_are_synchronised(
    media: Media, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What survives a power cut is what was synchronised: the bytes, then the names on the way to them."""
    synchronised = list[Path]()

    def note(path: Path) -> None:
        synchronised.append(path)
        os.sync()

    monkeypatch.setattr(files, "sync", note)
    media.keep({NAME: DATA})

    shard = tmp_path / "media" / NAME[:2]
    assert synchronised[0].name.startswith(f".{NAME}.")
    assert synchronised[0].parent == shard
    assert set(synchronised[1:]) == {shard, shard.parent, tmp_path}


def test_many_may_keep_the_same_at_the_same_time(media: Media) -> None:
    data = DATA * 50_000
    name = name_of(data, ".png")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: media.keep({name: data}), range(40)))

    path = media.path(SCHEME + name)
    assert path is not None
    assert path.read_bytes() == data
    assert [file.name for file in path.parent.iterdir()] == [name]


def test_a_file_that_cannot_be_written_leaves_nothing(media: Media, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise OSError("full")

    monkeypatch.setattr(files, "sync", refuse)
    with pytest.raises(OSError, match="full"):
        media.keep({NAME: DATA})

    assert media.path(SCHEME + NAME) is None
    assert list(media.prepare(NAME).parent.iterdir()) == []


def test_its_size_is_looked_at_once_and_kept_up_with(media: Media, monkeypatch: pytest.MonkeyPatch) -> None:
    other = name_of(b"other", ".wav")
    assert media.size() == 0
    media.keep({NAME: DATA})
    looks = list[int]()

    def looking() -> Iterator[int]:
        looks.append(1)
        yield 3

    monkeypatch.setattr(media, "_sizes", looking)

    media.keep({NAME: DATA, other: b"other"})
    assert media.size() == len(DATA) + len(b"other")
    assert looks == []

    media.sweep({SCHEME + NAME})
    assert (media.size(), media.size(), looks) == (3, 3, [1])


def test_a_size_that_was_looked_at_while_files_came_is_looked_at_again(
    media: Media, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = media._sizes
    other = name_of(b"other", ".wav")

    def looking() -> Iterator[int]:
        media.keep({other: b"other"})
        yield 1

    media.keep({NAME: DATA})
    monkeypatch.setattr(media, "_sizes", looking)
    assert media.size() == 1
    monkeypatch.setattr(media, "_sizes", look)
    assert media.size() == len(DATA) + len(b"other")


def test_a_size_that_was_asked_for_half_way_through_a_change_is_looked_at_again(media: Media) -> None:
    with media.replaced():
        assert media.size() == 0
        media.prepare(NAME).write_bytes(DATA)
    assert media.size() == len(DATA)
