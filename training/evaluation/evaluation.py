"""One evaluation: what is asked for, and everything that came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from models.config import Branch
from models.published.registry import load_registry
from training.datasets.dataset import Dataset
from training.datasets.registry import open_dataset
from training.evaluation.batches import Advance
from training.evaluation.embedder import Embedder, Semantics
from training.evaluation.embedding import Embedded, embed
from training.evaluation.errors import EvaluationError
from training.evaluation.figures import Exchange, speech_and_images, speech_and_texts
from training.evaluation.heard import Listen
from training.evaluation.keywords import KeywordRates, Subwords, keyword_rates
from training.evaluation.published import Published, published_row

BATCH = 16  # utterances, where they do not depend on one another
OFFICIAL_BATCH: Mapping[str, int] = {"parallel": 8, "cascaded": 8, "hybrid": 6, "cascaded+": 6, "hybrid+": 6}
"""In the authors' configurations: SpeechCLIP's and SpeechCLIP+'s."""


@dataclass(frozen=True)
class Question:
    """What is evaluated on what. model: a name or a folder; url: a running service in its place.

    limit: the first so many utterances only; batch: utterances at a time, else what is usual; models: where pulled
    ones are; work: where vectors are kept; registry: a file with published models beside those that are known.
    """

    kind: str
    root: Path
    split: str
    model: str | None
    url: str | None
    branch: Branch | None
    semantics: Semantics
    limit: int | None
    batch: int | None
    models: Path
    work: Path
    registry: Path | None = None


@dataclass(frozen=True)
class Evaluation:
    """Everything that came out. whole: all of the split was asked for; listen: what the slots of a model hear."""

    kind: str
    dataset: Dataset
    whole: bool
    model: str
    fingerprint: str
    branch: Branch
    way: str
    embedded: Embedded
    images: Exchange
    texts: Sequence[Exchange]
    keywords: KeywordRates | None
    published: Published | None
    listen: Listen | None = None


def evaluate(question: Question, advance: Advance) -> Evaluation:
    """Raises `NotReady` (`DatasetError`, `EvaluationError`) and `models.errors.ModelError`."""
    if question.url is not None and (question.model is not None or question.semantics == "official"):
        raise EvaluationError("a service by --url has its own model, and its own way to make batches of queries")
    registry = load_registry(question.registry and question.registry.expanduser())
    dataset = _first(open_dataset(question.kind, question.root, question.split), question.limit)
    asked = _asked(question)
    embedder, subwords = asked.embedder, asked.subwords
    embedded = embed(dataset, embedder, question.work, question.batch or asked.batch, advance)
    advance("counting", 0, 1)
    whole = question.limit is None
    return Evaluation(
        question.kind,
        dataset,
        whole,
        embedder.name,
        embedder.fingerprint,
        embedder.branch,
        embedder.way,
        embedded,
        speech_and_images(embedded),
        speech_and_texts(embedded),
        None if subwords is None else keyword_rates(embedded, subwords),
        published_row(registry, embedder.name, question.kind, dataset.split, whole),
        asked.listen,
    )


def _first(dataset: Dataset, limit: int | None) -> Dataset:
    return dataset if limit is None else replace(dataset, pairs=dataset.pairs[:limit])


@dataclass(frozen=True)
class _Asked:
    """Who is evaluated, what its keywords are chosen from, the usual size of a batch, and what its slots hear."""

    embedder: Embedder
    subwords: Subwords | None
    batch: int
    listen: Listen | None


def _asked(question: Question) -> _Asked:
    if question.url is not None:
        from training.evaluation.service import ServiceEmbedder

        return _Asked(ServiceEmbedder.at(question.url, question.branch), None, BATCH, None)
    from training.evaluation.local import LocalModel

    model = LocalModel.find(question.model or "nano", question.models)
    batch = OFFICIAL_BATCH[model.folder.config.branch] if question.semantics == "official" else BATCH
    embedder, subwords = model.embedder(question.semantics, question.branch), model.subwords()
    return _Asked(embedder, subwords, batch, None if subwords is None else model.listen)
