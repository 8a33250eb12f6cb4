"""A collection in one file: all of it, checked, and restored wholly or not at all."""

from __future__ import annotations

import hashlib
import io
import random
import subprocess
import tarfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from index.collection import Collection
from index.durable.media import SCHEME, name_of
from index.durable.snapshot import Snapshot, _Hashing
from index.errors import CollectionDamaged, CollectionError, CollectionExists, CollectionLocked, SnapshotDamaged
from index.records import Record
from index.store import Store
from tests.hostile_files import mutate
from tests.patience import wait_until

EYE = np.eye(8, dtype=np.float32)
PICTURE = b"a picture"
NAME = name_of(PICTURE, ".png")
TRAILER = b"\nspeechclip snapshot sha256 %s\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "snapshots" / "images.snapshot"


@pytest.fixture
def snapshot(collection: Collection, path: Path) -> Snapshot:
    """Of two records, one with media, one with metadata."""
    collection.put(
        [Record("a", SCHEME + NAME, "A"), Record("b", "b.png", metadata={"x": [1, None]})], EYE[:2], {NAME: PICTURE}
    )
    return collection.snapshot(path)


def contents(collection: Collection) -> tuple[list[Record], list[list[float]], list[str]]:
    records = collection.list(1000)
    hits = collection.search(EYE[:1], 1000)[0]
    return records, [collection.vector(one.id).tolist() for one in records], [hit.record.id for hit in hits]


def test_it_says_what_is_in_it(snapshot: Snapshot, collection: Collection, path: Path) -> None:
    about = snapshot.contents
    assert (about.version, about.count, about.media) == (1, 2, 1)
    assert (about.manifest.name, about.manifest.kind, about.manifest.fingerprint) == ("images", "images", "model-a")
    assert Snapshot(path).contents == about
    assert path.stat().st_size == snapshot.bytes


def test_other_programs_can_read_it(snapshot: Snapshot, path: Path) -> None:
    listed = subprocess.run(["tar", "tf", path], capture_output=True, text=True, check=True).stdout.splitlines()

    assert listed == ["records.sqlite", f"media/{NAME}", "contents.json"]
    head = subprocess.run(["sh", "-c", f"head -c -93 '{path}' | sha256sum"], capture_output=True, text=True, check=True)
    assert head.stdout.split()[0] == snapshot.sha256


def test_it_is_restored_under_another_name(snapshot: Snapshot, collection: Collection, store: Store) -> None:
    with store.restore(snapshot, "copy") as copy:
        assert contents(copy) == contents(collection)
        kept = copy.media(SCHEME + NAME)
        assert kept is not None
        assert kept.read_bytes() == PICTURE
        assert (copy.name, copy.version) == ("copy", 1)
    with store.open("copy") as copy:
        assert contents(copy) == contents(collection)


def test_it_is_restored_in_place(snapshot: Snapshot, collection: Collection, store: Store) -> None:
    before = contents(collection)
    collection.delete(["a"])
    collection.add([Record("c")], EYE[2:3])
    collection.restore(snapshot)

    assert contents(collection) == before
    assert collection.version == 4  # what was seen of versions 2 and 3 is not taken for this
    assert collection.add([Record("d")], EYE[3:4]) == 5
    collection.close()
    with store.open("images") as again:
        assert again.version == 5
        assert [record.id for record in again.list(9)] == ["a", "b", "d"]


def test_it_brings_kind_and_model_along(snapshot: Snapshot, store: Store) -> None:
    with store.create("other", "captions", 4, "model-b") as other:
        other.add([Record("x")], EYE[:1, :4])
        other.restore(snapshot)
        assert (other.kind, other.dim, other.fingerprint, other.count) == ("images", 8, "model-a", 2)
    with store.open("other", "model-a") as other:
        assert other.search(EYE[:1], 1)[0][0].record.id == "a"


def test_it_replaces_a_damaged_collection(snapshot: Snapshot, store: Store, tmp_path: Path) -> None:
    store.create("other", "images", 8, "model-a").close()
    for name in ("manifest.json", "records*.sqlite"):
        next((tmp_path / "collections" / "other").glob(name)).write_text("{")
        with pytest.raises(CollectionDamaged):
            store.open("other")
        with pytest.raises(CollectionExists):
            store.restore(snapshot, "other")
        with store.restore(snapshot, "other", replace=True) as other:
            assert other.count == 2


def test_what_is_open_is_not_replaced_from_outside(snapshot: Snapshot, collection: Collection, store: Store) -> None:
    with pytest.raises(CollectionLocked):
        store.restore(snapshot, "images", replace=True)


def test_a_snapshot_is_of_one_moment(collection: Collection, path: Path) -> None:
    """Written while batches of four come in."""
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            collection.add([Record(f"{number}-{part}") for part in range(4)], EYE[:4])
            number += 1

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            snapshots = [collection.snapshot(path.with_name(f"{number}.snapshot")) for number in range(5)]
        finally:
            done.set()
        writing.result()
    assert all(one.contents.count == 4 * one.contents.version for one in snapshots)


@pytest.mark.slow
def test_a_hundred_swaps_under_search_load(snapshot: Snapshot, collection: Collection, tmp_path: Path) -> None:
    """Two snapshots restored in turn, flushed and compacted: no search fails, and each sees one of the two."""
    collection.delete(["a", "b"])
    collection.add([Record(f"other-{number}") for number in range(5)], EYE[:5])
    other = collection.snapshot(tmp_path / "other.snapshot")
    states = {frozenset({"a", "b"}), frozenset(f"other-{number}" for number in range(5))}
    done, seen = threading.Event(), set[frozenset[str]]()

    def search() -> int:
        count = 0
        while not done.is_set():
            first, second = collection.search(EYE[:2], 9)
            found = frozenset(hit.record.id for hit in first)
            assert found == {hit.record.id for hit in second}
            assert found in states
            assert first[0].score == second[0].score == 1.0
            assert frozenset(record.id for record in collection.list(9)) in states
            seen.add(found)
            count += 1
        return count

    with ThreadPoolExecutor(3) as pool:
        searches = [pool.submit(search) for _ in range(3)]
        try:
            for number in range(100):
                collection.restore(other if number % 2 else snapshot)
                collection.compact() if number % 10 == 0 else collection.flush()
                if number < 2:
                    wait_until(partial(seen.__contains__, frozenset(record.id for record in collection.list(9))))
        finally:
            done.set()
        counts = [one.result() for one in searches]
    assert seen == states
    assert collection.version == 103
    print(f"{sum(counts)} searches")


def test_every_damage_is_found_before_anything_is_replaced(
    snapshot: Snapshot, collection: Collection, path: Path, store: Store
) -> None:
    content, chance = path.read_bytes(), random.Random(3)
    collection.delete(["a"])
    for attempt in range(60):
        place = chance.randrange(len(content))
        match attempt % 4:
            case 0:
                spoiled = content[:place]
            case 1:
                spoiled = content + content[place : place + 1]
            case 2:
                spoiled = content[:place] + content[place + 1 :]
            case _:
                spoiled = content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :]
        path.write_bytes(spoiled)
        with pytest.raises(SnapshotDamaged, match=path.name):
            Snapshot(path)
    path.write_bytes(content)
    changing = Snapshot(path)
    path.write_bytes(content.replace(PICTURE, PICTURE[::-1]))
    with pytest.raises(SnapshotDamaged, match="media"):
        collection.restore(changing)
    with pytest.raises(SnapshotDamaged):
        store.restore(changing, "copy")
    assert [record.id for record in collection.list(9)] == ["b"]
    assert store.names() == ["images"]
    assert sorted(one.name for one in (path.parents[1] / "collections" / "images").glob("records*.sqlite")) == [
        "records.sqlite"
    ]


def test_a_medium_that_is_damaged_costs_nothing_else(
    collection: Collection, path: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    other = name_of(b"another", ".png")
    records = [Record("a", SCHEME + NAME), Record("b", SCHEME + other)]
    collection.put(records, EYE[:2], {NAME: PICTURE, other: b"another"})
    damaged = collection.media(SCHEME + NAME)
    assert damaged is not None
    damaged.write_bytes(PICTURE[::-1])

    snapshot = collection.snapshot(path)
    assert "is damaged" in caplog.text
    with store.restore(snapshot, "copy") as copy:
        assert copy.list(9) == records
        assert copy.media(SCHEME + NAME) is None
        assert copy.media(SCHEME + other) is not None


def forged(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    """A file with the checksum of a snapshot and other things in it."""
    with path.open("wb") as file:
        hashing = _Hashing(file)
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for member, data in members:
                member.size = len(data) if member.isreg() else 0
                archive.addfile(member, io.BytesIO(data))
        hashing.write(buffer.getvalue())
        file.write(TRAILER % hashing.digest.hexdigest().encode())
    return path


def member(name: str, type: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = type, link
    return info


@pytest.mark.parametrize(
    "members",
    [
        [],
        [(member("contents.json"), b"{}")],
        [(member("contents.json"), b"[" * 100_000)],
        [(member("records.sqlite"), b"")],
        [(member("../records.sqlite"), b"x")],
        [(member("/etc/passwd"), b"x")],
        [(member("media/x.png"), b"x")],
        [(member(f"media/{NAME}", tarfile.SYMTYPE, "/etc/passwd"), b"")],
        [(member("records.sqlite", tarfile.LNKTYPE, "contents.json"), b"")],
        [(member("records.sqlite", tarfile.DIRTYPE), b"")],
        [(member("records.sqlite"), b"x"), (member("records.sqlite"), b"x")],
    ],
)
def test_a_forged_snapshot_is_refused(tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    with pytest.raises(SnapshotDamaged):
        Snapshot(forged(tmp_path / "forged.snapshot", *members))


def test_a_header_that_says_it_is_huge_costs_no_memory(tmp_path: Path) -> None:
    """Such a header is read wholly, as long as it says it is, before anybody sees what it is of."""
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 2**36
    path = tmp_path / "forged.snapshot"
    with path.open("wb") as file:
        hashing = _Hashing(file)
        hashing.write(header.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
        file.write(TRAILER % hashing.digest.hexdigest().encode())

    with pytest.raises(SnapshotDamaged, match="says that it has"):
        Snapshot(path)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_forged_is_refused_or_a_collection(
    snapshot: Snapshot, store: Store, path: Path, tmp_path: Path, seed: int
) -> None:
    """Damage that somebody has put the right checksum below."""
    rng, body = np.random.default_rng(seed), path.read_bytes()[: -len(TRAILER % bytes(64))]
    for _ in range(25):
        damaged = mutate(mutate(body, rng) or body, rng) or body
        digest = hashlib.sha256(damaged).hexdigest().encode()
        (tmp_path / "forged.snapshot").write_bytes(damaged + TRAILER % digest)
        with suppress(CollectionError), store.restore(Snapshot(tmp_path / "forged.snapshot"), "copy") as copy:
            assert {record.id for record in copy.list(9)} == {"a", "b"}
        if "copy" in store.names():
            store.delete("copy")


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    for missing in (tmp_path / "nothing.snapshot", tmp_path):
        with pytest.raises(CollectionError, match="cannot be read"):
            Snapshot(missing)
    (tmp_path / "empty").touch()
    with pytest.raises(SnapshotDamaged, match="empty"):
        Snapshot(tmp_path / "empty")


def test_a_damaged_record_gets_into_no_snapshot(
    collection: Collection, path: Path, damage: Callable[[Collection], None]
) -> None:
    collection.add([Record("a"), Record("b")], EYE[:2])
    damage(collection)

    for upkeep in (lambda: collection.snapshot(path), collection.compact):
        with pytest.raises(CollectionDamaged):
            upkeep()
    assert not path.exists()


@pytest.fixture
def damage() -> Callable[[Collection], None]:
    def damage(collection: Collection) -> None:
        collection._table._writer.execute("UPDATE records SET caption = 'other' WHERE id = 'b'")

    return damage


def test_a_closed_collection_makes_none(collection: Collection, snapshot: Snapshot, path: Path) -> None:
    collection.close()
    for use in (lambda: collection.snapshot(path), collection.compact, lambda: collection.restore(snapshot)):
        with pytest.raises(CollectionError, match="closed"):
            use()
