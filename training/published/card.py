"""The model card of a model that was trained here."""

from __future__ import annotations

from training.published.recipe import Recipe


def card(recipe: Recipe, data: str, recall: float | None) -> str:
    """Markdown. recall: validation recall at 10 of the weights, in per cent; None where there was no validation."""
    chosen = "after the last step" if recall is None else f"the best by validation recall at 10: {recall:.2f} %"
    rows = {
        "Branch": recipe.model.branch,
        "What searches use": recipe.model.search_branch,
        "HuBERT and CLIP": f"those of {recipe.start}, unchanged",
        "Trained on": data,
        "Steps at most": f"{recipe.optimiser.steps:,}",
        "Pairs a step": f"{recipe.data.batch * recipe.data.accumulate:,}",
        "Weights": chosen,
        "Seed": recipe.seed,
    }
    table = "".join(f"| {name} | {value} |\n" for name, value in rows.items())
    return f"""\
# {recipe.name}

A SpeechCLIP model: it puts speech into the space of CLIP's images and texts; the speech is not transcribed.

| | |
|---|---|
{table}
## Licence

That of the data it was trained on, and of the HuBERT and CLIP inside it.
"""
