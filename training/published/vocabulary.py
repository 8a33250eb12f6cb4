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
    if recipe.vocabulary == "captions":
        text = start.config.clip.text
        found = count_subwords((pair.text for pair in dataset.pairs), Tokenizer(text.vocab_size, text.context_length))
        where = "the captions have"
    else:
        found, where = start.vocabulary, f"{recipe.start} has"
    if recipe.model.cascaded and len(found) < _LEAST:
        raise TrainingError(f"{where} {len(found)} sub-words to choose keywords from, {_LEAST} are the least")
    return found


def count_subwords(texts: Iterable[str | None], tokens: Tokenizer) -> Sequence[int]:
    """All sub-words of texts, the most frequent first; the padding is at 0, start and end are at 2 and 3.

    That is where they are in every published model, and keywords never become what is there.
    """
    counts = Counter[int]()
    for text in texts:
        if text:
            counts.update(tokens.encode(text.lower().strip().removesuffix(".")))
    counts.pop(PADDING, None)
    words = sorted(counts, key=lambda id: (-counts[id], id))
    return [PADDING, *words[:1], tokens.sot, tokens.eot, *words[1:]]
