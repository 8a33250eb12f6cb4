"""A training from its recipe to a model folder; after a kill it goes on from the last checkpoint."""

from __future__ import annotations

import logging
import math
import os
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError

from models.clip import Tokenizer
from models.folder import ModelFolder, save_model
from models.new_folder import new_folder
from training.published.bar import Bar
from training.published.card import card
from training.published.checkpoints import CHECKPOINTS, LAST, ModelCheckpoint, best_ones, to_go_on_from
from training.published.data import Batches, Splits, require_some
from training.published.errors import TrainingError
from training.published.features.planned import Planned
from training.published.gather import world
from training.published.lightning import Callback, PossibleUserWarning, SIGTERMException, TensorBoardLogger, Trainer
from training.published.module import UNUSABLE, InTraining, load_trained
from training.published.recipe import Recipe, differences
from training.published.start import find_start, new_model
from training.published.vocabulary import vocabulary_of
from training.words import Said

RECIPE, MODEL, FEATURES = "recipe.json", "model", "features"
_LOG_EVERY = 8  # steps

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Training:
    """kind, root: the corpus; out: the folder that everything goes to; models: that of pulled models.

    features: where they are kept, if the recipe wants any; in `out` by default
    """

    recipe: Recipe
    kind: str
    root: Path
    out: Path
    models: Path
    features: Path | None = None


def train(training: Training, tell: Tell, progress: bool = True, callbacks: tuple[Callback, ...] = ()) -> Path | None:
    """The model folder; None in a process that only helps the first one.

    Raises `NotReady` (`RecipeError`, `TrainingError`, `DatasetError`) and `ModelError`.
    """
    recipe, out = training.recipe, training.out
    require_machine(recipe)
    _require_unfinished(out, recipe)
    splits = Splits.open(training.kind, training.root, recipe)
    start = find_start(recipe.start, training.models)
    vocabulary = vocabulary_of(recipe, start, splits.training)
    module = InTraining(new_model(recipe, start, vocabulary), recipe, _said(recipe, start, splits, vocabulary))
    planned = _planned(training, module, splits)
    _claim(out, recipe)
    if splits.missing:
        tell(f"{splits.missing:,} files are missing or cannot be used; `speechclip data check` lists them")
    features = None if planned is None else planned.carry_out(tell, progress)
    batches = Batches(splits, recipe, start.config.clip.vision, module.position, features)
    best = best_ones(out, recipe)
    last = out / CHECKPOINTS / f"{LAST}.ckpt"
    with _quiet(), _told_when_ended(last, tell):
        kept = [_Unusable(tell), best, *to_go_on_from(out, recipe)]
        trainer = _trainer(training, batches.an_epoch, [*callbacks, *kept], progress)
        trainer.fit(module, batches, ckpt_path=last if last.is_file() else None, weights_only=True)
    if not trainer.is_global_zero:
        return None
    _export(module, best, vocabulary, training)
    return out / MODEL


def _said(recipe: Recipe, start: ModelFolder, splits: Splits, vocabulary: Sequence[int]) -> Said | None:
    if not recipe.loss.words:
        return None
    captions = [pair.text for pair in splits.training.pairs]
    return Said(captions, vocabulary, Tokenizer.of(start.config.clip.text))


def _planned(training: Training, module: InTraining, splits: Splits) -> Planned | None:
    """Raises `TrainingError`, before anything is written."""
    precision, most = training.recipe.features, training.recipe.data.most_samples
    if precision == "none":
        require_some(splits.validation, module.model.config.clip.vision)
        return None
    folder = training.features or training.out / FEATURES
    return Planned.of(module.model, precision, folder, (splits.training, splits.validation), most)


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning without its advice, its advertisements, and warnings of its own code about itself."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PossibleUserWarning)
        warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")  # it goes on from there
        warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated", FutureWarning)
        yield


@contextmanager
def _told_when_ended(last: Path, tell: Tell) -> Iterator[None]:
    """What SIGTERM ends has the status that a shell knows it by; Lightning by itself would end as if all were done."""
    try:
        yield
    except SIGTERMException:
        if world()[0] == 0:
            where = f"goes on from {last}" if last.is_file() else "begins anew, as there is no checkpoint yet"
            tell(f"Ended by SIGTERM; the same command {where}")
        raise SystemExit(128 + signal.SIGTERM) from None


def require_machine(recipe: Recipe) -> None:
    """Raises `TrainingError` where the recipe asks for what is not here."""
    if not torch.cuda.is_available():
        if recipe.precision == "16-mixed":
            raise TrainingError("precision=16-mixed needs a GPU; without one it is 32-true or bf16-mixed")
    elif recipe.devices > torch.cuda.device_count():
        raise TrainingError(f"devices={recipe.devices}, but there are {torch.cuda.device_count()}")


def _require_unfinished(out: Path, recipe: Recipe) -> None:
    """Raises `TrainingError` where the folder is another recipe's, or done."""
    path = out / RECIPE
    try:
        if (out / MODEL).exists():
            raise TrainingError(f"{out / MODEL} is there already: this training is done")
        if path.is_file() and (other := differences(_recorded(path), recipe)):
            raise TrainingError(f"{out} is the training of another recipe: {', '.join(other)} differ")
    except OSError as error:
        raise TrainingError(f"{out} cannot be read: {error.strerror or error}") from error


def _claim(out: Path, recipe: Recipe) -> None:
    """The folder is of this recipe from now on. Raises `TrainingError` where it is another's, or done."""
    _require_unfinished(out, recipe)
    path = out / RECIPE
    try:
        if path.is_file():
            return
        out.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(recipe.model_dump_json(indent=2) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise TrainingError(f"{out} cannot be written: {error.strerror or error}") from error


def _recorded(path: Path) -> Recipe:
    try:
        return Recipe.model_validate_json(path.read_bytes())
    except ValidationError:
        raise TrainingError(f"{path} is not of a training that could go on; choose another folder") from None


class _Unusable(Callback):
    """Tells once what a validation goes without."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._told = tell, False

    def on_validation_end(self, trainer: Trainer, *_: object) -> None:
        if not self._told and trainer.is_global_zero and (count := int(trainer.callback_metrics[UNUSABLE])):
            self._told = True
            self._tell(
                f"{count:,} pairs to validate with cannot be used and are left out of every validation; "
                "`speechclip data check --decode` lists them"
            )


class _ToTheEnd(Callback):
    """The last step is validated wherever in an epoch it is: Lightning by itself would only leave off there."""

    def on_train_batch_end(self, trainer: Trainer, *_: object) -> None:
        if trainer.global_step >= trainer.max_steps:
            trainer.should_stop = True


def _trainer(training: Training, an_epoch: int, callbacks: list[Callback], progress: bool) -> Trainer:
    recipe, on_gpu = training.recipe, torch.cuda.is_available()
    bars = [Bar(recipe.optimiser.steps, math.ceil(an_epoch / recipe.data.accumulate))] if progress else []
    return Trainer(
        accelerator="cuda" if on_gpu else "cpu",
        devices=recipe.devices,
        strategy="ddp" if recipe.devices > 1 else "auto",
        sync_batchnorm=on_gpu and recipe.devices > 1,
        precision=recipe.precision,
        max_epochs=-1,
        max_steps=recipe.optimiser.steps,
        accumulate_grad_batches=recipe.data.accumulate,
        gradient_clip_val=recipe.optimiser.clip,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        log_every_n_steps=min(_LOG_EVERY, an_epoch),
        logger=TensorBoardLogger(training.out, name="tensorboard", version=""),
        callbacks=[_ToTheEnd(), *bars, *callbacks],
        enable_progress_bar=progress,
        enable_model_summary=False,
    )


def _export(module: InTraining, best: ModelCheckpoint, vocabulary: Sequence[int], training: Training) -> None:
    if best.best_model_path:
        if not Path(best.best_model_path).is_file():
            raise TrainingError(f"{best.best_model_path}, the best checkpoint, is gone")
        checkpoint = torch.load(best.best_model_path, map_location="cpu", weights_only=True)
        load_trained(module, checkpoint["state_dict"])
    score = None if best.best_model_score is None else float(best.best_model_score)
    model = module.model.cpu().eval()
    with new_folder(training.out / MODEL) as folder:
        save_model(model, folder, vocabulary, card(training.recipe, training.kind, score))
