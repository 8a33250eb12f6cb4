from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.durable.table import Table
from index.errors import (
    CollectionDamaged,
    CollectionExists,
    CollectionLocked,
    CollectionNotFound,
    InvalidName,
    ModelMismatch,
    StorageFailed,
)
from index.manifest import Manifest
from index.records import Record
from index.store import Store


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "collections"


def make(store: Store, *names: str) -> None:
    for name in names:
        store.create(name, "images", 4, "model-a").close()


def visible(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if not path.name.endswith(".lock"))


def test_a_new_store_is_an_empty_folder(root: Path) -> None:
    assert Store(root / "deep").names() == []
    assert (root / "deep").is_dir()


def test_what_is_created_can_be_opened(root: Path) -> None:
    with Store(root).create("captions", "captions", 4, "model-a", Path("/media")) as made:
        made.add([Record("a")], np.eye(4, dtype=np.float32)[:1])
    with Store(root).open("captions", "model-a") as collection:
        assert (collection.kind, collection.dim, collection.media_root) == ("captions", 4, Path("/media"))
        assert collection.count == 1
    assert Store(root).names() == ["captions"]


def test_names_are_sorted_collections_and_nothing_else(store: Store, root: Path) -> None:
    make(store, "b", "a-1", "0_x")
    (root / "lost+found").mkdir()
    (root / "file").touch()
    (root / "link").symlink_to(root / "b")
    assert store.names() == ["0_x", "a-1", "b"]


@pytest.mark.parametrize(
    "name",
    ["", "A", "-a", "_a", "a" * 65, "a\n", "a/b", "..", ".", "../a", "a.b", "/etc", "ä", "a b", "a\0", ".a.lock"],
)
def test_other_names_are_refused_everywhere(store: Store, name: str) -> None:
    for use in (lambda: store.create(name, "images", 4, "m"), lambda: store.open(name), lambda: store.delete(name)):
        with pytest.raises(InvalidName, match="is no name for a collection: 1 to 64 of a-z"):
            use()
    assert store.names() == []


def test_what_is_not_there_is_not_found(store: Store, root: Path) -> None:
    make(store, "b")
    (root / "link").symlink_to(root / "b")
    for name in ("a", "link"):
        with pytest.raises(CollectionNotFound, match=f"there is no collection '{name}'"):
            store.open(name)
        with pytest.raises(CollectionNotFound):
            store.delete(name)


def test_a_name_is_used_once(store: Store) -> None:
    make(store, "a")
    with pytest.raises(CollectionExists, match="there is a collection 'a' already"):
        store.create("a", "images", 4, "model-a")


@pytest.mark.parametrize("wrong", [{"kind": "films"}, {"dim": 0}, {"fingerprint": ""}])
def test_what_makes_no_manifest_makes_no_collection(store: Store, wrong: dict[str, Any]) -> None:
    arguments: dict[str, Any] = {"kind": "images", "dim": 4, "fingerprint": "m", **wrong}
    with pytest.raises(ValueError, match=next(iter(wrong))):
        store.create("a", **arguments)
    make(store, "a")


def test_another_model_cannot_open_it_and_blocks_nobody(store: Store) -> None:
    make(store, "a")
    with pytest.raises(ModelMismatch, match="made by model model-a, not by model-b"):
        store.open("a", "model-b")
    store.open("a", "model-a").close()


def test_it_is_open_once(store: Store, root: Path) -> None:
    make(store, "b")
    with store.create("a", "images", 4, "model-a"):
        for use in (lambda: store.open("a"), lambda: store.delete("a"), lambda: Store(root).open("a")):
            with pytest.raises(CollectionLocked, match="collection 'a' is open elsewhere"):
                use()
        store.open("b").close()
    store.open("a").close()


def test_another_process_has_to_wait(store: Store, root: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from index.store import Store\n"
        "from index.errors import CollectionLocked\n"
        "try: Store(Path(sys.argv[1])).open('a')\n"
        "except CollectionLocked as error: print(error)"
    )
    with store.create("a", "images", 4, "model-a"):
        done = subprocess.run([sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=True)
    assert "collection 'a' is open elsewhere" in done.stdout


def test_what_is_deleted_is_gone_and_its_name_is_free(store: Store, root: Path) -> None:
    make(store, "a", "b")
    store.delete("a")
    assert store.names() == visible(root) == ["b"]
    make(store, "a")
    with store.open("a") as collection:
        assert collection.count == 0


def test_one_damaged_collection_keeps_no_other_from_opening(store: Store, root: Path) -> None:
    make(store, "a", "b", "c")
    (root / "a" / "manifest.json").write_text("{}")
    (root / "b" / "records.sqlite").write_bytes(b"x" * 5000)
    for name in ("a", "b"):
        with pytest.raises(CollectionDamaged, match=f"'{name}' is damaged"):
            store.open(name)
        with pytest.raises(CollectionDamaged):
            store.open(name)
    again = Store(root)
    assert again.names() == ["a", "b", "c"]
    again.open("c").close()
    again.delete("a")
    again.delete("b")
    assert again.names() == ["c"]


@pytest.mark.parametrize("step", ["create", "write", "rename"])
def test_a_half_created_collection_never_appears(
    store: Store, root: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    owner = {"create": Table, "write": Manifest, "rename": Path}[step]
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, die)
        with pytest.raises(KeyboardInterrupt):
            make(store, "a")
    assert store.names() == []
    make(store, "a")
    assert visible(root) == ["a"]


def test_a_half_deleted_collection_never_appears(store: Store, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(store, "a")

    def die(path: Path) -> None:
        (path / "manifest.json").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", die)
        with pytest.raises(KeyboardInterrupt):
            store.delete("a")
    assert store.names() == []
    make(store, "a")
    Store(root).open("a").close()
    assert visible(root) == ["a"]


def test_what_a_deletion_left_is_in_the_way_of_no_other(store: Store, root: Path) -> None:
    (root / ".a.deleted" / "media").mkdir(parents=True)
    make(store, "a")

    store.delete("a")
    assert visible(root) == []


def test_a_version_grows_on_where_a_snapshot_takes_the_place(store: Store, root: Path, tmp_path: Path) -> None:
    vector = np.eye(4, dtype=np.float32)[:1]
    with store.create("a", "images", 4, "model-a") as collection:
        collection.add([Record("first")], vector)
        snapshot = collection.snapshot(tmp_path / "a.snapshot")
        for _ in range(5):
            collection.add([Record("later")], vector)
        before = collection.version
    (root / "a" / ".records-9.sqlite.new").write_bytes(b"half of another restoration")

    with store.restore(snapshot, "a", replace=True) as collection:
        assert collection.version > before
        assert [record.id for record in collection.list(10)] == ["first"]
    with store.open("a") as collection:
        assert collection.version > before
    (root / "a" / "manifest.json").unlink()
    store.restore(snapshot, "a", replace=True).close()
    assert [path.name for path in (root / "a").glob(".records*")] == []


def test_leftovers_are_cleared_away_unless_somebody_is_at_it(store: Store, root: Path) -> None:
    for leftover in (".a.new", ".b.deleted", ".c.new", ".other"):
        (root / leftover).mkdir()
    with store.create("c", "images", 4, "model-a"):
        (root / ".c.new").mkdir(exist_ok=True)
        Store(root)
    assert visible(root) == [".c.new", ".other", "c"]


def test_a_root_that_is_no_folder_is_a_storage_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageFailed, match="the folder of collections"):
        Store(tmp_path / "file")
