"""What `words=` does to the figures of a model with keyword slots: `python -m bench.heard [MODEL] [WORK]`.

The speech of nano's card, over the drawings and the keywords of the default collections. MODEL: a shipped model, or a
folder; WORK: that of `python -m training`, for the names of the drawings. `SPEECHCLIP_HUMAN_SPEECH` as there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.demo.collections import image, image_records, lexicon
from app.query.heard import MOST_RANKED, heard_in
from app.query.keywords import MOST_WORDS_OF_A_SLOT, Vocabulary, spoken_keywords
from bench.report import Report
from index.ranking import Hit
from index.records import Record
from models.encoder import load_encoder
from models.protocol import Encoder
from training.nano.evaluate import Trial, trials
from training.nano.lexicon import load_lexicon
from training.nano.retrieval import recall

WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
BATCH = 128
Vectors = NDArray[np.float32]


def heard(model: str, work: Path) -> Report:
    """Recall of every trial by the weight of words."""
    encoder, records = load_encoder(model), image_records(lexicon())
    parts = [records[start : start + BATCH] for start in range(0, len(records), BATCH)]
    pictures = np.concatenate([encoder.embed_images([image(record.id) for record in part]) for part in parts])
    texts = sorted({text for record in records for text in _phrases(record)})
    directions = encoder.slot_words(texts)
    if directions is None:
        sys.exit(f"{model} has no keyword slots")
    vocabulary, report = Vocabulary.of(texts, directions), Report("Words that were heard", {"model": model})
    for name, trial in trials(load_lexicon(work / "packages")).items():
        report.add(name, list(_rows(encoder, trial, records, pictures, vocabulary)))
    return report


def _rows(
    encoder: Encoder, trial: Trial, records: Sequence[Record], pictures: Vectors, vocabulary: Vocabulary
) -> Iterator[dict[str, object]]:
    known = {phrase for record in records for phrase in _phrases(record)}
    ranks: dict[float, list[int]] = {weight: [] for weight in WEIGHTS}
    for wave, phrase in zip(trial.waves, trial.phrases, strict=True):
        if phrase not in known:
            continue
        found = encoder.embed_speech([wave], return_keywords=True)
        slots = spoken_keywords((found.keywords or [[]])[0], vocabulary, MOST_WORDS_OF_A_SLOT).slots
        scores = pictures @ found.vectors[0]
        nearest = [Hit(records[row], float(scores[row])) for row in np.argsort(-scores)[:MOST_RANKED].tolist()]
        for weight, own in ranks.items():
            own.append(_rank(heard_in(weight, slots).ranked(nearest), phrase))
    for weight, own in ranks.items():
        figures = recall(np.array(own, np.int64))
        yield {
            "words": weight,
            "utterances": figures.utterances,
            **{f"R@{k}": percent for k, percent in figures.at.items()},
            "95 % of R@10": "{} to {}".format(*figures.intervals[10]),
        }


def _rank(hits: Sequence[Hit], phrase: str) -> int:
    """From 1; one more than there are where none is right."""
    return 1 + next((place for place, hit in enumerate(hits) if phrase in _phrases(hit.record)), len(hits))


def _phrases(record: Record) -> list[str]:
    tags = record.metadata["keywords"]
    return [record.caption or "", *(str(tag) for tag in (tags if isinstance(tags, list) else []))]


if __name__ == "__main__":
    model, work = [*sys.argv[1:], *("nano", "work/nano")[len(sys.argv) - 1 :]]
    print(heard(model, Path(work)).to_markdown())
