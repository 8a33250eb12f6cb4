"""`config.json` of a model folder: every dimension and switch, so that nothing is guessed from a name."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Size = Annotated[int, Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AudioConfig(_Section):
    """HuBERT. Defaults are HuBERT base (spec section 3.2)."""

    hidden_size: Size = 768
    layers: Size = 12
    heads: Size = 12
    ffn_size: Size = 3072
    conv_dim: tuple[Size, ...] = (512,) * 7
    conv_kernel: tuple[Size, ...] = (10, 3, 3, 3, 3, 2, 2)
    conv_stride: tuple[Size, ...] = (5, 2, 2, 2, 2, 2, 2)
    conv_bias: bool = False
    conv_norm: Literal["group", "layer"] = "group"
    pre_norm: bool = False
    position_kernel: Size = 128
    position_groups: Size = 16
    normalize_waveform: bool = False
    normalize_hidden_states: bool = False

    @property
    def frame_stride(self) -> int:
        """Samples between two frames."""
        stride = 1
        for step in self.conv_stride:
            stride *= step
        return stride

    def frame_count(self, samples: int) -> int:
        """Frames that the convolutions make of `samples` samples."""
        for kernel, stride in zip(self.conv_kernel, self.conv_stride, strict=True):
            samples = (samples - kernel) // stride + 1
        return max(samples, 0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not len(self.conv_dim) == len(self.conv_kernel) == len(self.conv_stride) > 0:
            raise ValueError("conv_dim, conv_kernel and conv_stride must have one entry per convolution")
        if self.hidden_size % self.heads or self.hidden_size % self.position_groups:
            raise ValueError("hidden_size must be a multiple of heads and of position_groups")
        return self


class ParallelConfig(_Section):
    """The parallel branch: one transformer layer over [CLS; frames] (spec section 3.7).

    ffn_size: width of its feed-forward network; absent, four times the hidden size, as in the paper.
    """

    heads: Size = 8
    ffn_size: Size | None = None


class VisionConfig(_Section):
    image_size: Size = 224
    patch_size: Size = 32
    width: Size = 768
    layers: Size = 12
    head_width: Size = 64

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.width % self.head_width:
            raise ValueError("width must be a multiple of head_width")
        if self.image_size % self.patch_size:
            raise ValueError("image_size must be a multiple of patch_size")
        return self


class TextConfig(_Section):
    context_length: Annotated[int, Field(gt=2)] = 77
    vocab_size: Annotated[int, Field(gt=514, le=49408)] = 49408
    width: Size = 512
    heads: Size = 8
    layers: Size = 12

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.width % self.heads:
            raise ValueError("width must be a multiple of heads")
        return self


class ClipConfig(_Section):
    """CLIP in openai's layout (spec section 3.12). Defaults are ViT-B/32."""

    vision: VisionConfig = VisionConfig()
    text: TextConfig = TextConfig()
    quick_gelu: bool = True


class ModelConfig(_Section):
    format: Literal[1] = 1
    name: Annotated[str, Field(min_length=1)]
    branch: Literal["parallel"] = "parallel"
    embedding_size: Size = 512
    audio: AudioConfig = AudioConfig()
    parallel: ParallelConfig = ParallelConfig()
    clip: ClipConfig = ClipConfig()

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.audio.hidden_size % self.parallel.heads:
            raise ValueError("audio.hidden_size must be a multiple of parallel.heads")
        return self
