"""`config.json` of a model folder: every dimension and switch, so that nothing is guessed from a name."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Size = Annotated[int, Field(gt=0)]
Branch = Literal["parallel", "cascaded"]
"""What makes a vector of an utterance: the whole of it, or the keywords that were heard in it."""
Kind = Literal["parallel", "cascaded", "hybrid", "cascaded+", "hybrid+"]
"""Of a model, by the branches it has and how they are made."""

Precision = Literal["fp32", "bf16"]
"""Of a model's products. fp32: results are the reference's up to rounding; bf16: quicker, and some ranks change."""


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

    @property
    def frame_reach(self) -> int:
        """Samples that one frame is made of."""
        reach, stride = 1, 1
        for kernel, step in zip(self.conv_kernel, self.conv_stride, strict=True):
            reach, stride = reach + (kernel - 1) * stride, stride * step
        return reach

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


class CifConfig(_Section):
    """Continuous integrate-and-fire: as many keywords as an utterance has (spec section 3.11).

    threshold: weight at which a keyword is complete
    tail_threshold: what is left at the end is a keyword too from this weight on; null: never
    """

    conv_width: Size = 3
    conv_layers: Size = 1
    threshold: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    tail_threshold: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = 0.5

    @model_validator(mode="after")
    def _centred(self) -> Self:
        if self.conv_width % 2 == 0:
            raise ValueError("conv_width must be odd")
        return self


class CascadedConfig(_Section):
    """The keyword path, and the head it shares with the parallel branch of a hybrid (spec sections 3.9 to 3.11).

    vocabulary_size: sub-words that a keyword can be: as many as the model's vocabulary lists
    head: attention and a layer norm, or a whole transformer layer
    ffn_size: of a transformer layer; absent, four times the hidden size
    keywords: slots; meaningless with `cif`, which finds as many as there are
    keyword_projection, parallel_projection: hidden sizes of these networks; empty: one linear layer
    batch_norm: numbers for each slot and dimension, or shared by the slots
    temperature: of the choice of a sub-word, in training
    """

    vocabulary_size: Annotated[int, Field(gt=4)]
    head: Literal["attention", "transformer"] = "attention"
    heads: Size = 1
    ffn_size: Size | None = None
    keywords: Size = 8
    keyword_projection: tuple[Size, ...] = ()
    parallel_projection: tuple[Size, ...] = ()
    batch_norm: Literal["each", "shared"] = "each"
    temperature: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.1
    cif: CifConfig | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.cif and self.batch_norm == "each":
            raise ValueError("batch_norm must be shared with cif, which has no fixed slots")
        return self


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
    """search_branch: what embeds an utterance for search unless another branch is asked for."""

    format: Literal[1] = 1
    name: Annotated[str, Field(min_length=1)]
    branch: Kind = "parallel"
    search_branch: Branch = "parallel"
    embedding_size: Size = 512
    audio: AudioConfig = AudioConfig()
    parallel: ParallelConfig = ParallelConfig()
    cascaded: CascadedConfig | None = None
    clip: ClipConfig = ClipConfig()

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The branches that can be asked for."""
        match self.branch:
            case "parallel":
                return ("parallel",)
            case "hybrid" | "hybrid+":
                return ("parallel", "cascaded")
            case _:
                return ("cascaded",)

    @model_validator(mode="after")
    def _one_network(self) -> Self:
        if (self.cascaded is None) != (self.branch == "parallel"):
            raise ValueError("cascaded is for every branch but parallel, and needed by those")
        if self.cascaded and (self.cascaded.cif is not None) != self.branch.endswith("+"):
            raise ValueError("cascaded.cif is for cascaded+ and hybrid+ only, and needed by those")
        if self.search_branch not in self.branches:
            raise ValueError(f"search_branch must be {' or '.join(self.branches)} where branch is {self.branch}")
        return self

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        name, heads = ("cascaded", self.cascaded.heads) if self.cascaded else ("parallel", self.parallel.heads)
        if self.audio.hidden_size % heads:
            raise ValueError(f"audio.hidden_size must be a multiple of {name}.heads")
        text = self.clip.text
        if self.cascaded and self.cascaded.keywords > text.context_length - 2:
            raise ValueError("cascaded.keywords, a start and an end must fit in clip.text.context_length")
        if self.cascaded and self.cascaded.vocabulary_size > text.vocab_size:
            raise ValueError("cascaded.vocabulary_size must not exceed clip.text.vocab_size")
        return self
