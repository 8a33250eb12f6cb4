"""What a training is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.config import Branch, CascadedConfig, Kind, ModelConfig, ParallelConfig

Count = Annotated[int, Field(gt=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
Name = Annotated[str, Field(min_length=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Slots(CascadedConfig):
    """As in a model's configuration; how many sub-words there are follows from the vocabulary instead."""

    vocabulary_size: Literal[5] = 5


class Network(_Section):
    """What is trained on top of the frozen HuBERT and CLIP. Of both, the sizes are those of the start."""

    branch: Kind
    search_branch: Branch
    normalize_waveform: bool
    normalize_hidden_states: bool
    parallel: ParallelConfig = ParallelConfig()
    cascaded: Slots | None = None

    def config(self, name: str, start: ModelConfig, vocabulary_size: int) -> ModelConfig:
        """The whole model. Raises `ValidationError` where the start has other sizes than this needs."""
        audio = {"normalize_waveform": self.normalize_waveform, "normalize_hidden_states": self.normalize_hidden_states}
        cascaded = self.cascaded and {**self.cascaded.model_dump(), "vocabulary_size": vocabulary_size}
        return ModelConfig.model_validate(
            {
                "name": name,
                "branch": self.branch,
                "search_branch": self.search_branch,
                "embedding_size": start.embedding_size,
                "audio": {**start.audio.model_dump(), **audio},
                "parallel": self.parallel.model_dump(),
                "cascaded": cascaded,
                "clip": start.clip.model_dump(),
            }
        )


class Loss(_Section):
    """Weights of the losses of each branch and of the number of keywords (spec section 6), and of the words that were
    said, which the papers do not tell a model.

    temperature: of the contrastive loss, at its start if it is learnt
    frames_per_keyword: how many frames make one keyword; scaling_steps: steps in which integrate-and-fire is made to
    fire exactly as often
    """

    temperature: Positive = 0.07
    temperature_learnt: bool
    parallel: Weight
    cascaded: Weight
    quantity: Weight = 0.25
    words: Weight = 0.0
    frames_per_keyword: Count = 20
    scaling_steps: Annotated[int, Field(ge=0)] = 5_000


class Optimiser(_Section):
    """Adam; the rate rises in `warmup` steps from nothing to `rate` and falls to `final_rate` at the last step.

    weight_decay: added to the gradient; clip: norm that a gradient has at most.
    """

    rate: Positive = 1e-4
    final_rate: Weight = 1e-8
    weight_decay: Weight = 1e-6
    warmup: Annotated[int, Field(ge=0)] = 5_000
    steps: Count = 50_000
    clip: Positive = 4.0


class Data(_Section):
    """batch: pairs in a batch over all devices together; accumulate: batches a step.

    validation_batch: what the authors' was matters, as their batches change the vectors of what is in them
    most_samples: an utterance is cut to so many, at a random place; workers: processes that read, for each device
    train_split: one, or several that are trained on together
    """

    batch: Annotated[int, Field(gt=1)] = 256
    accumulate: Count = 1
    validation_batch: Count
    most_samples: Annotated[int, Field(ge=1_600)] = 102_400
    train_split: Name | Annotated[tuple[Name, ...], Field(min_length=1)] = "train"
    validation_split: Name = "val"
    workers: Annotated[int, Field(ge=0, le=64)] = 4


class Recipe(_Section):
    """start: the model whose HuBERT and CLIP are taken, and kept as they are: a pulled one, or a model folder

    vocabulary: the sub-words that keywords are chosen from: those of the start, or those of the training captions
    head: the branch is new, or begins as the start's parallel branch, as far as it has the same parts; kept, these
        stay as they are, and with hybrid+ also what they answer: in hybrid they hear the tokens of keywords too
    semantics: how padding is treated: as the authors did, or so that no utterance depends on its batch
    features: whether what HuBERT and CLIP make of the data is computed once and kept, and in what precision
    dropout: in the attention and the projections; cif_dropout: where integrate-and-fire weighs frames
    hubert_dropout: in HuBERT, which is frozen nevertheless; the authors left it active: 0.1 in HuBERT base
    keep: so many of the best checkpoints; save_every: steps between two checkpoints to go on from
    """

    name: Name
    start: Name
    vocabulary: Literal["start", "captions"] = "start"
    head: Literal["new", "start", "kept"] = "new"
    semantics: Literal["official", "independent"] = "official"
    features: Literal["none", "float16", "bfloat16"] = "none"
    dropout: Share = 0.1
    cif_dropout: Share = 0.5
    hubert_dropout: Share = 0.0
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 7122
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = "16-mixed"
    devices: Count = 1
    keep: Count = 3
    save_every: Count = 500
    model: Network
    loss: Loss
    optimiser: Optimiser = Optimiser()
    data: Data

    @model_validator(mode="after")
    def _trainable(self) -> Self:
        if self.optimiser.warmup >= self.optimiser.steps:
            raise ValueError("optimiser.warmup must be less than optimiser.steps")
        if self.optimiser.final_rate > self.optimiser.rate:
            raise ValueError("optimiser.final_rate must not exceed optimiser.rate")
        if self.data.batch % self.devices:
            raise ValueError(f"data.batch must be a multiple of devices, which are {self.devices}")
        return self

    @model_validator(mode="after")
    def _features_stay(self) -> Self:
        if self.features != "none" and self.semantics == "official":
            raise ValueError("features needs semantics=independent: with official ones they depend on the batch")
        if self.features != "none" and self.hubert_dropout:
            raise ValueError("features needs hubert_dropout=0: with dropout they are others in every step")
        return self

    @model_validator(mode="after")
    def _losses_fit(self) -> Self:
        has = {"parallel": "cascaded" not in self.model.branch, "cascaded": self.model.branch != "parallel"}
        for branch, there in has.items():
            if not there and getattr(self.loss, branch):
                raise ValueError(f"loss.{branch} must be 0, as a {self.model.branch} model has no {branch} branch")
            if there and not getattr(self.loss, branch):
                raise ValueError(f"loss.{branch} must be more than 0, or the {branch} branch would learn nothing")
        if self.loss.words and not has["cascaded"]:
            raise ValueError("loss.words must be 0, as a parallel model has no keywords")
        if has["cascaded"] != (self.model.cascaded is not None):
            raise ValueError("model.cascaded is for every branch but parallel, and needed by those")
        return self


def told(error: ValidationError) -> str:
    """The first fault, by the name of the setting."""
    fault = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in fault["loc"])
    reason = fault["msg"].removeprefix("Value error, ")
    return f"{place}: {reason}" if place else reason


def differences(one: Recipe, other: Recipe) -> list[str]:
    """The settings, `section.key`, that are not the same."""
    return sorted(_differing(one.model_dump(), other.model_dump()))


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    found = []
    for key in one.keys() | other.keys():
        a, b = one.get(key), other.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += [f"{key}.{inner}" for inner in _differing(a, b)]
        elif a != b:
            found.append(key)
    return found
