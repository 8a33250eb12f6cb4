"""An evaluation as tables: figures in per cent, 95 % intervals in parentheses."""

from __future__ import annotations

from collections.abc import Iterator

from training.evaluation.blocks import Block, Heading, Items, Line, Table
from training.evaluation.evaluation import Evaluation
from training.evaluation.figures import Exchange, Mean, Task
from training.evaluation.keywords import KeywordRates, Rate
from training.evaluation.published import Published
from training.nano.retrieval import RANKS

WAYS = {
    "service": "as the service embeds: an utterance does not depend on its batch",
    "official": "the authors' batch semantics, batches of {batch} in the order of the data set",
    "url": "a running service, {batch} queries at a time",
}
COLUMNS = tuple(f"R@{k}" for k in RANKS)


def tables(evaluation: Evaluation) -> list[Block]:
    """Headings from the second level on."""
    return list(_blocks(evaluation))


def _blocks(evaluation: Evaluation) -> Iterator[Block]:
    yield Heading(f"{evaluation.model} on {evaluation.dataset.name}, {evaluation.dataset.split}", 2)
    yield Items(list(_facts(evaluation)))
    yield Table(("", "queries", "gallery", *COLUMNS), _retrieval(evaluation))
    if evaluation.published is not None:
        yield Line(_remark(evaluation.published))
    if ties := [line for task in _tasks(evaluation) for line in _tie_lines(task)]:
        yield Line("Equal scores are broken by the order of the gallery. Broken against and for the right answer:")
        yield Items(ties)
    if evaluation.keywords is not None:
        yield Heading("Keywords", 3)
        yield Line("Utterances whose slot hits, counted as the authors do, and counting words only:")
        yield Table(("slot", "utterances", "as published", "clean"), _keyword_rows(evaluation.keywords))
    if lost := [*_lost(evaluation)]:
        yield Line(f"{len(lost):,} files are missing or cannot be used, and take no part. The first: {lost[0]}")


def _facts(evaluation: Evaluation) -> Iterator[str]:
    embedded, speed = evaluation.embedded, evaluation.embedded.speed
    part = "" if evaluation.whole else " (not the whole split)"
    yield f"{len(embedded.pairs):,} utterances, {len(embedded.images):,} images, {len(embedded.texts):,} texts{part}"
    yield f"fingerprint {evaluation.fingerprint[:12]}, {evaluation.branch} branch"
    yield WAYS[evaluation.way].format(batch=speed.batch)
    yield (
        f"{speed.ms_per_utterance:.1f} ms an utterance, {speed.utterances_per_second:.1f} utterances a second, "
        f"real-time factor {speed.real_time_factor:.4f}, in batches of {speed.batch}"
    )


def _lost(evaluation: Evaluation) -> Iterator[str]:
    yield from evaluation.dataset.missing
    yield from evaluation.dataset.unreadable
    yield from (f"{fault.name}: {fault.reason}" for fault in evaluation.embedded.faults)


def _retrieval(evaluation: Evaluation) -> list[list[str]]:
    rows = _exchange_rows(evaluation.images, "")
    if evaluation.published is not None:
        rows.append(_published_row(evaluation.published))
    for exchange in evaluation.texts:
        rows += _exchange_rows(exchange, f", by {exchange.there.answers}")
    return rows


def _exchange_rows(exchange: Exchange, how: str) -> list[list[str]]:
    return [*(_task_row(task, how) for task in (exchange.there, exchange.back)), _mean_row(exchange.mean, how)]


def _task_row(task: Task, how: str) -> list[str]:
    figures = [_figure(task.recall.at[k], *task.recall.intervals[k]) for k in RANKS]
    return [f"{task.query} → {task.target}{how}", f"{task.recall.utterances:,}", f"{task.gallery:,}", *figures]


def _mean_row(mean: Mean, how: str) -> list[str]:
    figures = [_figure(mean.at[k], *mean.intervals[k]) for k in RANKS]
    return [f"mean{how} ({mean.over_all:.2f} over all)", "", "", *figures]


def _published_row(published: Published) -> list[str]:
    figures = [f"{published.percent:.2f}" if k == published.at else "" for k in RANKS]
    return [f"published mean, {published.dataset}, validation", "", "", *figures]


def _remark(published: Published) -> str:
    verdict = "the data that is evaluated here" if published.comparable else "not the data that is evaluated here"
    return (
        f"The published figure ({published.source}) is the mean of both directions on the validation split of "
        f"{published.dataset}: {verdict}."
    )


def _tie_lines(task: Task) -> Iterator[str]:
    for k, (against, favour) in task.ties.items():
        yield f"{task.query} → {task.target}, by {task.answers}: R@{k} from {against:.2f} to {favour:.2f}"


def _tasks(evaluation: Evaluation) -> list[Task]:
    return [task for exchange in (evaluation.images, *evaluation.texts) for task in (exchange.there, exchange.back)]


def _keyword_rows(rates: KeywordRates) -> list[list[str]]:
    return [
        ["all" if one.slot is None else str(one.slot), f"{one.utterances:,}", _rate(one.published), _rate(one.clean)]
        for one in (*rates.slots, rates.overall)
    ]


def _rate(rate: Rate) -> str:
    return _figure(rate.percent, rate.low, rate.high)


def _figure(percent: float, low: float, high: float) -> str:
    return f"{percent:.2f} ({low:.1f} to {high:.1f})"
