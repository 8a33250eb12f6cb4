"""What the authors published of the model that is evaluated, to be shown beside what was measured."""

from __future__ import annotations

from dataclasses import dataclass

from models.published.registry import Registry

VALIDATION = ("val", "dev")  # two names for the same split


@dataclass(frozen=True)
class Published:
    """Mean recall of speech -> image and image -> speech, in per cent, on the validation split of `dataset`.

    comparable: whether that is the data that was evaluated.
    """

    name: str
    at: int
    percent: float
    source: str
    dataset: str
    comparable: bool


def published_row(registry: Registry, model: str, kind: str, split: str, whole: bool) -> Published | None:
    """None for a model that was not published with figures. whole: whether all of the split is evaluated."""
    entry = registry.models.get(model)
    if entry is None or entry.recall is None:
        return None
    same = kind == entry.trained_on.lower() and split in VALIDATION and whole
    figure = entry.recall
    return Published(entry.name, figure.at, figure.percent, figure.source, entry.trained_on, same)
