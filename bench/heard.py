"""What `words=` does to the figures of a model with keyword slots: `python -m bench.heard [MODEL] [WORK] [SCENES]`.

The speech of nano's card, over the drawings of the default collection with their names and without. A word's vector is
that of its text, where the service's own `keywords` have something of the drawings in them. MODEL: a shipped model, or
a folder; WORK: that of `python -m training`, for the names of the drawings. SCENES: a folder of spoken scenes, if their
sentences are to be looked for too. `SPEECHCLIP_HUMAN_SPEECH` as there.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.demo.collections import image, image_records, lexicon
from app.query.heard import MOST_RANKED, heard_in
from app.query.keywords import MOST_WORDS_OF_A_SLOT, Vocabulary, spoken_keywords
from app.query.nearest import page_of
from app.query.requests import SearchQuery
from bench.report import Report
from index.backend import Collection
from index.records import Record
from index.store import Store
from models.audio import decode
from models.encoder import load_encoder
from models.protocol import Encoder
from training.datasets import open_dataset
from training.nano.evaluate import Trial, in_parts, trials
from training.nano.lexicon import load_lexicon
from training.nano.retrieval import recall

WEIGHTS = (0.0, 0.2, 0.3)
PICTURES, VOICES = "pictures alone", "test_voices"
Vectors = NDArray[np.float32]


def heard(model: str, work: Path, scenes: Path | None = None) -> Report:
    """Recall of every trial by the weight of words, with and without the names of the drawings."""
    encoder, records = load_encoder(model), image_records(lexicon())
    phrases = {record.id: _phrases(record) for record in records}
    texts = sorted({text for own in phrases.values() for text in own})
    directions = encoder.slot_words(texts)
    if directions is None:
        sys.exit(f"{model} has no keyword slots")
    read = in_parts(encoder.embed_texts, texts)
    vocabulary, report = Vocabulary.of(texts, directions, read), Report("Words that were heard", {"model": model})
    pictures = in_parts(encoder.embed_images, [image(one.id) for one in records])
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        galleries = {
            "named": _stored(store, "named", encoder, records, pictures),
            PICTURES: _stored(store, "alone", encoder, [Record(one.id) for one in records], pictures),
        }
        for name, trial in trials(load_lexicon(work / "packages")).items():
            report.add(name, list(_rows(encoder, trial, galleries, vocabulary, phrases)))
        if scenes is not None:
            trial, gallery = _spoken_scenes(store, encoder, scenes)
            own = {id: [id] for id in trial.phrases}
            report.add(f"scenes, {VOICES}", list(_rows(encoder, trial, {PICTURES: gallery}, vocabulary, own)))
        store.close()
    return report


def _spoken_scenes(store: Store, encoder: Encoder, folder: Path) -> tuple[Trial, Collection]:
    """Each caption in place of a phrase has the id of its picture."""
    pairs = open_dataset("webdataset", folder, VOICES).pairs
    files = {str(pair.image_id): pair.image for pair in pairs}
    pictures = [Image.open(BytesIO(file.read())) for file in files.values()]
    waves = [decode(pair.audio.read()).samples for pair in pairs]
    gallery = _stored(store, "scenes", encoder, [Record(id) for id in files], in_parts(encoder.embed_images, pictures))
    return Trial(waves, [str(pair.image_id) for pair in pairs]), gallery


def _stored(store: Store, name: str, encoder: Encoder, records: Sequence[Record], vectors: Vectors) -> Collection:
    collection = store.create(name, "images", encoder.dim, encoder.fingerprint)
    collection.add(records, vectors)
    return collection


def _rows(
    encoder: Encoder,
    trial: Trial,
    galleries: Mapping[str, Collection],
    vocabulary: Vocabulary,
    phrases: Mapping[str, Sequence[str]],
) -> Iterator[dict[str, object]]:
    known = {phrase for own in phrases.values() for phrase in own}
    ranks: dict[tuple[str, float], list[int]] = {(name, weight): [] for name in galleries for weight in WEIGHTS}
    for wave, phrase in zip(trial.waves, trial.phrases, strict=True):
        if phrase not in known:
            continue
        found = encoder.embed_speech([wave], return_keywords=True)
        slots = spoken_keywords((found.keywords or [[]])[0], vocabulary, MOST_WORDS_OF_A_SLOT).slots
        query = SearchQuery.model_construct(top_k=MOST_RANKED)
        for (name, weight), own in ranks.items():
            words = heard_in(weight, slots, vocabulary)
            hits = page_of(galleries[name], found.vectors[0], query, words).hits
            own.append(_rank([phrases[hit.record.id] for hit in hits], phrase))
    for (name, weight), own in ranks.items():
        figures = recall(np.array(own, np.int64))
        yield {
            "drawings": name,
            "words": weight,
            "utterances": figures.utterances,
            **{f"R@{k}": percent for k, percent in figures.at.items()},
            "95 % of R@10": "{} to {}".format(*figures.intervals[10]),
        }


def _rank(found: Sequence[Sequence[str]], phrase: str) -> int:
    """From 1; one more than there are where none is right."""
    return 1 + next((place for place, own in enumerate(found) if phrase in own), len(found))


def _phrases(record: Record) -> list[str]:
    tags = record.metadata["keywords"]
    return [record.caption or "", *(str(tag) for tag in (tags if isinstance(tags, list) else []))]


if __name__ == "__main__":
    model, work, *scenes = [*sys.argv[1:], *("nano", "work/nano")[len(sys.argv) - 1 :]]
    print(heard(model, Path(work), Path(scenes[0]) if scenes else None).to_markdown())
