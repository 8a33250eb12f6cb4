"""An evaluation as JSON. Per cent everywhere, unrounded; intervals hold 95 %."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from training.evaluation.embedding import Speed
from training.evaluation.evaluation import Evaluation
from training.evaluation.figures import Exchange, Mean, Task
from training.evaluation.keywords import KeywordRates

FORMAT = 1
LISTED = 100  # files of each kind of fault; the count is of all

Json = dict[str, object]


def facts(evaluation: Evaluation) -> Json:
    """Everything but the vectors and single ranks; `format` grows when a field changes its meaning."""
    return {
        "format": FORMAT,
        "model": {
            "name": evaluation.model,
            "fingerprint": evaluation.fingerprint,
            "branch": evaluation.branch,
        },
        "dataset": _dataset(evaluation),
        "protocol": evaluation.way,
        "speech_image": _exchange(evaluation.images),
        "speech_text": [_exchange(exchange) for exchange in evaluation.texts],
        "keywords": None if evaluation.keywords is None else _keywords(evaluation.keywords),
        "latency": _latency(evaluation.embedded.speed),
        "published": None if evaluation.published is None else asdict(evaluation.published),
    }


def _latency(speed: Speed) -> Json:
    return {
        **asdict(speed),
        "ms_per_utterance": speed.ms_per_utterance,
        "utterances_per_second": speed.utterances_per_second,
        "real_time_factor": speed.real_time_factor,
    }


def _dataset(evaluation: Evaluation) -> Json:
    dataset, embedded = evaluation.dataset, evaluation.embedded
    unusable = [f"{fault.name}: {fault.reason}" for fault in embedded.faults]
    return {
        "kind": evaluation.kind,
        "name": dataset.name,
        "split": dataset.split,
        "whole": evaluation.whole,
        "utterances": len(embedded.pairs),
        "images": len(embedded.images),
        "texts": len(embedded.texts),
        "missing": _listed(dataset.missing),
        "unreadable": _listed([*dataset.unreadable, *unusable]),
    }


def _listed(names: Sequence[str]) -> Json:
    return {"count": len(names), "first": list(names[:LISTED])}


def _exchange(exchange: Exchange) -> Json:
    return {"tasks": [_task(exchange.there), _task(exchange.back)], "mean": _mean(exchange.mean)}


def _task(task: Task) -> Json:
    return {
        "query": task.query,
        "target": task.target,
        "answers": task.answers,
        "queries": task.recall.utterances,
        "gallery": task.gallery,
        "recall": _with_intervals(task.recall.at, task.recall.intervals),
        "ties": {str(k): {"against": against, "for": favour} for k, (against, favour) in task.ties.items()},
    }


def _mean(mean: Mean) -> Json:
    return {"recall": _with_intervals(mean.at, mean.intervals), "over_all": mean.over_all}


def _with_intervals(at: Mapping[int, float], intervals: Mapping[int, tuple[float, float]]) -> Json:
    return {str(k): {"percent": at[k], "low": intervals[k][0], "high": intervals[k][1]} for k in at}


def _keywords(rates: KeywordRates) -> Json:
    return {"overall": asdict(rates.overall), "slots": [asdict(slot) for slot in rates.slots]}
