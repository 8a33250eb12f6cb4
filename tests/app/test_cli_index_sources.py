"""`speechclip index` with every kind of source: which collection it makes, and what is refused before anything is."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import pytest

from app.bulk import ray_engine
from index.store import Store
from tests.app.cli_runner import Speechclip, make_speechclip
from tests.fake_encoder import WORDS, FakeEncoder, drawn, spoken


@pytest.fixture
def speechclip(encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Speechclip:
    return make_speechclip(tmp_path / "data", encoder, monkeypatch)


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """Every word drawn and spoken, and tables of them."""
    folder = tmp_path / "catalogue"
    (folder / "im").mkdir(parents=True)
    (folder / "au").mkdir()
    rows = list[dict[str, object]]()
    for number, word in enumerate(WORDS):
        (folder / "im" / f"{word}.png").write_bytes(drawn(word))
        (folder / "au" / f"{word}.wav").write_bytes(spoken(word))
        rows.append({"id": word, "path": f"im/{word}.png", "caption": f"the {word}", "price": number})
    (folder / "list.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = [",".join(map(str, row.values())) for row in rows]
    (folder / "list.csv").write_text("\n".join(["id,path,caption,price", *lines]))
    (folder / "list.tsv").write_text((folder / "list.csv").read_text().replace(",", "\t"))
    pq.write_table(pa.Table.from_pylist(rows), folder / "list.parquet")
    with tarfile.open(folder / "shard.tar", "w") as tar:
        for word in WORDS:
            for name, data in ((f"{word}.png", drawn(word)), (f"{word}.txt", f"the {word}".encode())):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return folder


def embeddings(folder: Path, encoder: FakeEncoder) -> Path:
    """As clip-retrieval would have written them with this model."""
    for name in ("img_emb", "metadata"):
        (folder / name).mkdir(parents=True)
    np.save(folder / "img_emb/img_emb_0.npy", np.stack([3 * encoder.vector(word) for word in WORDS]).astype(np.float16))
    pq.write_table(pa.table({"image_path": list(WORDS)}), folder / "metadata/metadata_0.parquet")
    return folder


def nearest(speechclip: Speechclip, name: str, word: str) -> Any:
    return speechclip.json("search", word, "--collection", name)["results"][0]


@pytest.mark.parametrize("name", ["list.csv", "list.tsv", "list.jsonl", "list.parquet", "shard.tar"])
def test_images_of_a_list_or_a_tar(speechclip: Speechclip, catalogue: Path, name: str, encoder: FakeEncoder) -> None:
    report = speechclip.json("index", "pets", catalogue / name)

    assert (report["kind"], report["added"], report["failed"]) == ("images", 5, 0)
    found = nearest(speechclip, "pets", "guitar")
    assert (found["id"], found["caption"], round(found["score"], 3)) == ("guitar", "the guitar", 1.0)
    if name != "shard.tar":
        assert (found["uri"], found["metadata"]["price"]) == ("im/guitar.png", 4)
    encoder.forget()
    assert speechclip.json("index", "pets", catalogue / name)["known"] == 5
    assert [kind for kind, _ in encoder.batches] == []


def test_recordings(speechclip: Speechclip, catalogue: Path) -> None:
    report = speechclip.json("index", "sounds", catalogue, "--kind", "audio")

    assert (report["kind"], report["added"]) == ("audio", 5)
    assert nearest(speechclip, "sounds", "dog")["id"] == "au/dog.wav"
    # What the collection holds is what a folder is searched for.
    assert speechclip.json("index", "sounds", catalogue)["known"] == 5
    assert "longer than" in speechclip.json("index", "sounds", _long(catalogue), status=1)["skipped"][0]["reason"]


def _long(folder: Path) -> Path:
    (folder / "long.wav").write_bytes(spoken("dog", 31.0))
    return folder


def test_captions_of_images(speechclip: Speechclip, catalogue: Path) -> None:
    for name in ("list.csv", "shard.tar"):
        report = speechclip.json("index", "words", catalogue / name, "--kind", "captions")
        assert (report["kind"], report["failed"]) == ("captions", 0)
    assert report["count"] == 5


def test_a_folder_and_a_list_have_one_root(speechclip: Speechclip, catalogue: Path) -> None:
    speechclip.json("index", "pets", catalogue / "im", catalogue / "list.csv")

    with Store(speechclip.data / "collections").open("pets") as collection:
        assert collection.media_root == catalogue
        assert {collection.get(id).uri for id in ("dog", "im/dog.png")} == {"im/dog.png"}


def test_a_media_root_above_the_files(speechclip: Speechclip, catalogue: Path) -> None:
    speechclip.json("index", "pets", catalogue / "im", "--media-root", catalogue.parent)

    assert nearest(speechclip, "pets", "dog")["id"] == "catalogue/im/dog.png"
    told = speechclip.refused("index", "pets", catalogue / "im", "--media-root", catalogue)
    assert "has its files below" in told
    assert "is not there" in speechclip.refused("index", "new", catalogue / "im", "--media-root", catalogue / "au")


def test_a_list_apart_from_its_files(speechclip: Speechclip, catalogue: Path, tmp_path: Path) -> None:
    path = tmp_path / "lists" / "list.csv"
    path.parent.mkdir()
    path.write_text(f"path\n{catalogue}/im/dog.png\n")

    assert speechclip.json("index", "a", path, status=1)["failed"] == 1
    assert speechclip.json("index", "b", path, "--media-root", catalogue)["added"] == 1
    assert nearest(speechclip, "b", "dog")["uri"] == "im/dog.png"


def test_vectors_from_elsewhere(speechclip: Speechclip, tmp_path: Path, encoder: FakeEncoder) -> None:
    folder = embeddings(tmp_path / "e", encoder)

    assert "--trust-vectors" in speechclip.refused("index", "pets", folder)
    assert speechclip.loaded == []
    assert speechclip.json("index", "pets", folder, "--trust-vectors")["added"] == 5
    found = nearest(speechclip, "pets", "rocket")
    assert (found["id"], round(found["score"], 3)) == ("rocket", 1.0)
    assert speechclip.json("index", "pets", folder, "--trust-vectors")["known"] == 5


def test_vectors_of_another_model_are_refused(speechclip: Speechclip, tmp_path: Path, encoder: FakeEncoder) -> None:
    folder = embeddings(tmp_path / "e", FakeEncoder(8))

    assert "made by another model" in speechclip.refused("index", "pets", folder, "--trust-vectors")
    assert Store(speechclip.data / "collections").names() == []
    embeddings(tmp_path / "good", encoder)
    speechclip.json("index", "pets", tmp_path / "good", "--trust-vectors")
    speechclip.encoder = FakeEncoder(8)
    assert "made by model" in speechclip.refused("index", "pets", folder, "--trust-vectors")


def test_two_tars_with_the_same_keys_are_not_mixed_up(speechclip: Speechclip, catalogue: Path) -> None:
    other = catalogue / "other.tar"
    with tarfile.open(other, "w") as tar:
        for word in ("dog", "new"):
            info = tarfile.TarInfo(f"{word}.png")
            info.size = len(drawn("cat"))
            tar.addfile(info, io.BytesIO(drawn("cat")))

    report = speechclip.json("index", "pets", catalogue / "shard.tar", other, status=1)
    assert (report["added"], report["skipped"]) == (
        6, [{"source": "other.tar/dog", "reason": "another item before it has the id 'dog'"}]
    )  # fmt: skip
    assert nearest(speechclip, "pets", "dog")["id"] == "dog"


def test_failures_are_few_on_the_terminal_and_all_in_the_report(speechclip: Speechclip, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path\n" + "".join(f"none{n}.png\n" for n in range(150)))

    result = speechclip.run("index", "pets", tmp_path / "list.csv")
    assert (result.exit_code, result.stderr.count("skipped ")) == (1, 10)
    assert "and 140 more" in result.stderr
    assert len((speechclip.data / "reports/pets.jsonl").read_text().splitlines()) == 150
    report = speechclip.json("index", "pets", tmp_path / "list.csv", "--report", tmp_path / "mine.jsonl", status=1)
    assert (report["failed"], len(report["skipped"]), report["report"]) == (150, 100, str(tmp_path / "mine.jsonl"))
    assert len((tmp_path / "mine.jsonl").read_text().splitlines()) == 150


def test_sources_that_make_no_sense(
    speechclip: Speechclip, catalogue: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    folder = embeddings(tmp_path / "e", encoder)
    (tmp_path / "a.tar.gz").write_bytes(b"")
    (tmp_path / "empty.csv").write_text("id,text\n")
    for sources, told in (
        ([tmp_path / "a.tar.gz"], "is compressed: unpack it first"),
        ([tmp_path / "empty.csv"], "there are no captions here"),
        ([folder, catalogue / "im"], "is indexed by itself"),
        ([catalogue / "im", "--kind", "keywords"], "cannot be indexed as keywords"),
        ([catalogue / "im", tmp_path / "empty.csv"], "do not go into one collection"),
        ([folder, "--kind", "audio", "--trust-vectors"], "cannot be indexed as audio"),
    ):
        assert told in speechclip.refused("index", "pets", *sources)
    assert speechclip.loaded == []
    assert Store(speechclip.data / "collections").names() == []


def test_without_ray_it_is_said_what_to_install(
    speechclip: Speechclip, catalogue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(ray_engine, "import_module", missing)
    assert "speechclip-search[ray]" in speechclip.refused("index", "pets", catalogue / "im", "--engine", "ray")
