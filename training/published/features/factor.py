"""What features bring: steps from files and steps from features, in turns, over the same pairs.

`python -m training.published.features.factor RECIPE --data KIND --root ROOT --features DIR [KEY=VALUE]...`
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from models.clip import ImagePreprocessor
from models.published.shelf import default_data, models_below
from training.published.data import Splits
from training.published.features.batches import collate_features
from training.published.features.planned import Planned
from training.published.module import InTraining
from training.published.order import Draw, Position, Shuffled
from training.published.recipe import Recipe
from training.published.recipe_file import load_recipe
from training.published.samples import FromFiles, Samples, collate
from training.published.start import find_start, new_model
from training.published.vocabulary import vocabulary_of
from training.told import told

Load = Callable[[list[Draw]], Any]


@dataclass(frozen=True)
class Factor:
    """Seconds of processor time for a step, the median of several: reading, both ways through the network."""

    files: float
    features: float

    def __str__(self) -> str:
        return (
            f"{1 / self.files:.2f} steps a second from files, {1 / self.features:.2f} from features: "
            f"{self.files / self.features:.1f} times as many"
        )


def measure(module: InTraining, splits: Splits, recipe: Recipe, folder: Path, turns: int) -> Factor:
    """Features are computed before, where they are missing. Raises `TrainingError`."""
    most, both = recipe.data.most_samples, (splits.training, splits.validation)
    plan = Planned.of(module.model, "float16" if recipe.features == "none" else recipe.features, folder, both, most)
    features = plan.carry_out(lambda line: typer.echo(line, err=True), progress=False)
    pixels = ImagePreprocessor(module.model.config.clip.vision)
    files = FromFiles(splits.training.pairs, pixels, most, recipe.seed)
    ids = [pair.image_id for pair in splits.training.pairs]
    loads: Sequence[Load] = (
        lambda draws: collate([Samples(files, ids, replaced=True)[draw] for draw in draws]),
        lambda draws: collate_features([Samples(features.training, ids, replaced=True)[draw] for draw in draws]),
    )
    module.train()
    order = iter(Shuffled(len(ids), recipe.data.batch, recipe.seed, Position()))
    seconds = [[_seconds(module, load, draws) for load in loads] for draws in _some(order, turns + 1)]
    return Factor(*(median(column) for column in zip(*seconds[1:], strict=True)))


def _some(batches: Iterator[list[Draw]], count: int) -> list[list[Draw]]:
    """So many, and the same ones again where there are fewer."""
    there = [batch for batch, _ in zip(batches, range(count), strict=False)]
    return [there[number % len(there)] for number in range(count)]


def _seconds(module: InTraining, load: Load, draws: list[Draw]) -> float:
    started_at = time.process_time()
    _, _, losses = module.parts(load(draws), together=False)
    losses["loss"].backward()  # type: ignore[no-untyped-call]
    module.zero_grad()
    return time.process_time() - started_at


def main(
    recipe: Annotated[str, typer.Argument(help="As for `speechclip train`.")],
    kind: Annotated[str, typer.Option("--data", "--dataset")],
    root: Annotated[Path, typer.Option()],
    features: Annotated[Path, typer.Option(help="Where features are kept.")],
    changes: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...")] = None,
    turns: Annotated[int, typer.Option(min=1)] = 10,
) -> None:
    """Measure how many more steps a training from features makes, on the processor."""
    told = load_recipe(recipe, changes or [])
    splits, start = Splits.open(kind, root, told), find_start(told.start, models_below(default_data()))
    module = InTraining(new_model(told, start, vocabulary_of(told, start, splits.training)), told)
    typer.echo(f"{told.name}, batches of {told.data.batch}: {measure(module, splits, told, features, turns)}")


if __name__ == "__main__":
    with told():
        typer.run(main)
