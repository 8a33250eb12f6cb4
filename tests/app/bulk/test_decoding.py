"""Items become what the model takes."""

from __future__ import annotations

import threading
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.bulk import decoding
from app.bulk.decoding import Budget, Decoder, Ready
from app.bulk.embedding import embed_items
from app.bulk.items import Bad, Content, File, Item, Slice
from index.manifest import Kind
from index.records import Record
from tests.fake_encoder import FakeEncoder, drawn, spoken
from tests.peak_memory import peak_of

MIB = 1024 * 1024


def item(content: Content) -> Item:
    return Item(Record("a", None, "dog"), content, "a", 1.0)


def decoded(content: Content, kind: Kind = "images", max_seconds: float = 1.0) -> Ready | Bad:
    return Decoder(kind, FakeEncoder(), max_seconds, Budget())(item(content))


def test_images_come_as_small_as_the_model_looks_at_them(tmp_path: Path) -> None:
    (tmp_path / "dog.png").write_bytes(b"before" + drawn("dog", size=(900, 300)) + b"after")

    ready = decoded(Slice(tmp_path / "dog.png", 6, len(drawn("dog", size=(900, 300)))))
    assert isinstance(ready, Ready)
    assert isinstance(ready.payload, Image.Image)
    assert ready.payload.size == (60, 60)


def test_audio_texts_and_vectors(tmp_path: Path) -> None:
    (tmp_path / "dog.wav").write_bytes(spoken("dog", 0.5))
    vector = np.ones(4, np.float32)

    audio, text, ready = decoded(File(tmp_path / "dog.wav"), "audio"), decoded(None, "captions"), decoded(vector)
    assert isinstance(audio, Ready)
    assert isinstance(audio.payload, np.ndarray)
    assert audio.payload.shape == (8000,)
    assert isinstance(text, Ready)
    assert text.payload == "dog"
    assert isinstance(ready, Ready)
    assert ready.payload is vector


def test_what_cannot_be_used_has_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cut.png").write_bytes(drawn("dog")[:50])
    (tmp_path / "long.wav").write_bytes(spoken("dog", 2.0))
    monkeypatch.setattr(decoding, "MAX_MEDIA", 100_000)
    (tmp_path / "large.png").write_bytes(bytes(100_001))

    for content, kind, why in (
        (File(tmp_path / "cut.png"), "images", "no readable image"),
        (File(tmp_path / "long.wav"), "audio", "longer than the 1 s"),
        (File(tmp_path / "large.png"), "images", "100,000 are the most"),
        (File(tmp_path / "none.png"), "images", "No such file"),
        (Slice(tmp_path / "cut.png", 40, 20), "images", "broke off: 10 of 20 bytes"),
    ):
        bad = decoded(content, kind)  # type: ignore[arg-type]
        assert isinstance(bad, Bad)
        assert why in bad.reason


def test_a_batch_is_a_pure_function_of_its_items(tmp_path: Path) -> None:
    items = []
    for word in ("dog", "cat"):
        (tmp_path / word).write_bytes(drawn(word))
        items.append(Item(Record(word), File(tmp_path / word), word, 2.0))
    items.insert(1, Item(Record("none"), File(tmp_path / "none"), "none", 2.0))
    encoder = FakeEncoder()

    done = embed_items(items, "images", encoder, 1.0)
    assert [record.id for record in done.records] == ["dog", "cat"]
    assert np.array_equal(done.vectors, np.stack([encoder.vector("dog"), encoder.vector("cat")]))
    assert ([bad.where for bad in done.bad], done.weight) == (["none"], 4.0)
    assert embed_items(items[1:2], "images", encoder, 1.0).vectors.shape == (0, encoder.dim)


def test_a_budget_is_never_overdrawn_and_gives_all_to_who_wants_more() -> None:
    budget, counting = Budget(100), threading.Lock()
    held, most = 0, 0

    def work(amount: int) -> None:
        nonlocal held, most
        for _ in range(50):
            with budget.hold(amount):
                with counting:
                    held += min(amount, 100)
                    most = max(most, held)
                with counting:
                    held -= min(amount, 100)

    threads = [threading.Thread(target=work, args=(amount,)) for amount in (10, 60, 60, 100, 1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 60 <= most <= 100


def test_a_folder_of_the_largest_images_takes_no_more_memory_than_one(tmp_path: Path) -> None:
    """Six of 36 million pixels; each is 108 MB when it is decoded."""
    file = BytesIO()
    Image.new("RGB", (6000, 6000)).save(file, "PNG", compress_level=1)
    for number in range(6):
        (tmp_path / f"{number}.png").write_bytes(file.getvalue())

    peak = peak_of(
        "from pathlib import Path\nfrom app.bulk.ahead import ahead\n"
        "from app.bulk.decoding import Budget, Decoder, give_memory_back\nfrom app.bulk.items import File, Item\n"
        "from index.records import Record\nfrom tests.fake_encoder import FakeEncoder",
        "give_memory_back()\ndecoder = Decoder('images', FakeEncoder(), 1.0, Budget(300 << 20))\n"
        f"items = [Item(Record(str(n)), File(Path({str(tmp_path)!r}, f'{{n}}.png')), '', 1.0) for n in range(6)]\n"
        "with ahead(items, decoder, 6, 6) as results:\n"
        "    assert all(one.payload.size == (60, 60) for one in results)",
    )
    assert peak.all - peak.before < 450 * MIB
