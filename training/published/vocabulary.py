"""The sub-words that keywords are chosen from (spec section 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from models.clip import Tokenizer
from models.folder import ModelFolder
from training.datasets import Dataset
from training.published.errors import TrainingError
from training.published.recipe import Recipe

PADDING = 0
_LEAST = 5  # the padding, the start, the end, and two to choose from


def vocabulary_of(recipe: Recipe, start: ModelFolder, dataset: Dataset) -> Sequence[int]:
    """Ids of CLIP's byte-pair encoding in the order of a model's table. Raises `TrainingError`."""
    tokens = Tokenizer.of(start.config.clip.text)
    if recipe.vocabulary == "captions":
        words, where = count_subwords((pair.text for pair in dataset.pairs), tokens), "the captions have"
    else:
        words, where = start.vocabulary, f"{recipe.start} has"
    found = in_order(words, tokens)
    if recipe.model.cascaded and len(found) < _LEAST:
        raise TrainingError(f"{where} {len(found)} sub-words to choose keywords from, {_LEAST} are the least")
    return found


def count_subwords(texts: Iterable[str | None], tokens: Tokenizer) -> Sequence[int]:
    """All sub-words of texts, the most frequent first."""
    counts = Counter[int]()
    for text in texts:
        if text:
            counts.update(tokens.encode(text.lower().strip().removesuffix(".")))
    return sorted(counts, key=lambda id: (-counts[id], id))


def in_order(ids: Sequence[int], tokens: Tokenizer) -> Sequence[int]:
    """The same sub-words with the padding at 0, start and end at 2 and 3.

    That is where they are in every published model, and keywords never become what is there.
    """
    words = [id for id in ids if id not in (PADDING, tokens.sot, tokens.eot)]
    return [PADDING, *words[:1], tokens.sot, tokens.eot, *words[1:]]
