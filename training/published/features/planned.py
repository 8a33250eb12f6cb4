"""Features of the data of one training: first what is needed, then all of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from models.clip import ImagePreprocessor
from models.speechclip import SpeechClip
from training.datasets import Dataset
from training.published.errors import TrainingError
from training.published.features.batches import FromFeatures
from training.published.features.encoders import FrozenEncoders, Precision
from training.published.features.fill import fill, require_room, told
from training.published.features.survey import Found, Survey, open_records


@dataclass(frozen=True)
class Features:
    """Of what is learnt from, and of what chooses the best checkpoint."""

    training: FromFeatures
    validation: FromFeatures


@dataclass(frozen=True)
class Planned:
    """Nothing is written yet. found: of all pairs that are trained with, and of all that are validated with."""

    model: SpeechClip
    survey: Survey
    folder: Path
    training: Sequence[Found]
    validation: Sequence[Found]

    @classmethod
    def of(
        cls, model: SpeechClip, precision: Precision, folder: Path, splits: tuple[Dataset, Dataset], most: int
    ) -> Planned:
        """most: samples to which a training would cut an utterance.

        Raises `TrainingError` where it would cut one, where the disk is too small, for files it cannot read, and where
        nothing of a split can be used.
        """
        encoders = FrozenEncoders(model, precision)
        pixels = ImagePreprocessor(model.config.clip.vision)
        survey = Survey(encoders, pixels, open_records(folder, encoders))
        training, validation = (_usable(survey, split) for split in splits)
        survey.require_uncut(training, most)
        require_room(survey, folder)
        return cls(model, survey, folder, training, validation)

    def carry_out(self, tell: Callable[[str], None], progress: bool) -> Features:
        """What is not there is computed. Raises `TrainingError`."""
        survey = self.survey
        if survey.speech or survey.images:
            tell(
                f"{len(survey.speech):,} utterances and {len(survey.images):,} images go through HuBERT and CLIP once; "
                f"what comes out takes {told(survey.bytes)} in {self.folder}"
            )
            self.model.to("cuda" if torch.cuda.is_available() else "cpu")
        speech, images = fill(survey, self.folder, progress)
        self.model.cpu()
        precision = survey.encoders.precision
        return Features(*(FromFeatures(found, speech, images, precision) for found in (self.training, self.validation)))


def _usable(survey: Survey, split: Dataset) -> Sequence[Found]:
    """Raises `TrainingError` where nothing is."""
    found = survey.of(split)
    if found and isinstance(found[0], str) and all(isinstance(one, str) for one in found):
        raise TrainingError(f"nothing of {split.name}, split {split.split}, can be used: {found[0]}")
    return found
