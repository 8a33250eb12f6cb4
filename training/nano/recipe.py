"""nano's recipe: its sizes and the steps of each stage."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from models.config import AudioConfig, CascadedConfig, CifConfig, ClipConfig, ModelConfig, TextConfig, VisionConfig


class Stage(BaseModel):
    """steps, utterances or pairs a step, peak learning rates (matrices by Muon, the rest by AdamW), warm-up share.

    thawed: the first steps, in which the convolutions of the audio encoder learn too; None: they always do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int
    batch: int
    matrix_rate: float
    rate: float
    warmup: float = 0.05
    thawed: int | None = None


class Recipe(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 7122
    clip: Stage = Stage(steps=1_500, batch=128, matrix_rate=0.02, rate=1.5e-3)
    read: Stage = Stage(steps=600, batch=256, matrix_rate=0.01, rate=1e-3)
    scenes: Stage = Stage(steps=4_400, batch=128, matrix_rate=0.01, rate=7e-4)
    drawn_scenes: int = 72_000
    listen: Stage = Stage(steps=1_400, batch=64, matrix_rate=0.02, rate=1.5e-3)
    align: Stage = Stage(steps=5_000, batch=128, matrix_rate=0.02, rate=1e-3)
    tune: Stage = Stage(steps=10_000, batch=128, matrix_rate=0.012, rate=7e-4, warmup=0.02, thawed=1_400)
    phonemes: Stage = Stage(steps=120, batch=128, matrix_rate=0.05, rate=8e-3, thawed=0)
    again: Stage = Stage(steps=900, batch=128, matrix_rate=0.006, rate=4e-4, warmup=0.03, thawed=0)
    sharpness: float = 150.0  # 1 / tau of a tuned model, which no model folder tells
    frozen_batches: int = 500
    model: ModelConfig = ModelConfig(
        name="nano",
        embedding_size=192,
        audio=AudioConfig(
            hidden_size=256,
            layers=5,
            heads=4,
            ffn_size=1024,
            conv_dim=(64, 128, 192, 256, 256, 256),
            conv_kernel=(16, 8, 3, 3, 3, 3),
            conv_stride=(10, 4, 2, 2, 2, 2),
            conv_norm="layer",
            pre_norm=True,
            position_kernel=32,
            position_groups=16,
            normalize_waveform=True,
            normalize_hidden_states=True,
        ),
        branch="hybrid+",
        cascaded=CascadedConfig(
            vocabulary_size=5,  # how many there are follows from what is said
            head="transformer",
            heads=8,
            ffn_size=2048,
            keyword_projection=(512,),
            batch_norm="shared",
            cif=CifConfig(),
        ),
        clip=ClipConfig(
            vision=VisionConfig(image_size=64, patch_size=16, width=192, layers=4),
            text=TextConfig(context_length=24, vocab_size=514 + 6_000, width=192, heads=3, layers=3),
        ),
    )

    def model_of(self, vocabulary_size: int) -> ModelConfig:
        """The model's configuration, once it is known how many sub-words keywords are chosen from."""
        given = self.model.model_dump()
        given["cascaded"]["vocabulary_size"] = vocabulary_size
        return ModelConfig.model_validate(given)
