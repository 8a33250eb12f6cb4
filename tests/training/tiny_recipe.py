"""A recipe of a few steps for a network of some ten thousand weights."""

from __future__ import annotations

from models.config import AudioConfig, CascadedConfig, CifConfig, ClipConfig, ModelConfig, TextConfig, VisionConfig
from training.nano.recipe import Recipe, Stage


def tiny_recipe(steps: int = 4) -> Recipe:
    """The drawings are as large as they always are, and the strides those of nano."""
    return Recipe(
        seed=3,
        clip=Stage(steps=steps, batch=12, matrix_rate=0.02, rate=5e-3),
        read=Stage(steps=steps, batch=12, matrix_rate=0.02, rate=5e-3),
        scenes=Stage(steps=steps, batch=12, matrix_rate=0.02, rate=5e-3),
        drawn_scenes=16,
        listen=Stage(steps=steps, batch=8, matrix_rate=0.02, rate=5e-3),
        align=Stage(steps=steps, batch=8, matrix_rate=0.02, rate=5e-3),
        tune=Stage(steps=steps, batch=8, matrix_rate=0.02, rate=5e-3),
        phonemes=Stage(steps=steps, batch=8, matrix_rate=0.02, rate=5e-3, thawed=0),
        again=Stage(steps=steps, batch=8, matrix_rate=0.02, rate=5e-3, thawed=0),
        frozen_batches=3,
        model=ModelConfig(
            name="tiny",
            embedding_size=8,
            audio=AudioConfig(
                hidden_size=16,
                layers=1,
                heads=2,
                ffn_size=32,
                conv_dim=(8, 8, 16, 16),
                conv_kernel=(16, 8, 4, 4),
                conv_stride=(10, 4, 4, 4),
                conv_norm="layer",
                pre_norm=True,
                position_kernel=8,
                position_groups=4,
                normalize_waveform=True,
            ),
            branch="hybrid+",
            cascaded=CascadedConfig(
                vocabulary_size=5,
                head="transformer",
                heads=2,
                ffn_size=32,
                keywords=4,
                batch_norm="shared",
                cif=CifConfig(),
            ),
            clip=ClipConfig(
                vision=VisionConfig(image_size=64, patch_size=32, width=16, layers=1, head_width=8),
                text=TextConfig(context_length=8, vocab_size=514 + 100, width=16, heads=2, layers=1),
            ),
        ),
    )
