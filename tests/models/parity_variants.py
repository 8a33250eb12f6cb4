"""The models of which the authors' code computed every array, with random weights: which arrays, and how exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Attention = Literal["maps", "rows", "none"]

SINGLES = tuple(f"single{place}" for place in range(4))
DETAILED = ("single0", "batch")  # the largest arrays exist for these alone

_EXACT = (
    *("feat_len", "id", "keywords", "vq_targets", "vq_targets_original_ids", "s3prl_n_hidden", "cif_target_len"),
    *("cif_original_length", "cif_dsample_feats_length", "cif_dsample_feats_pad_mask", "cif_fired_marks"),
)
_TOLERANCES = {  # by the last part of a name
    **dict.fromkeys(_EXACT, 0.0),
    **dict.fromkeys(("parallel_audio_feat", "cascaded_audio_feat", "cif_dsample_feats"), 2e-5),
    **dict.fromkeys(("parallel_audio_feat_normed", "cascaded_audio_feat_normed", "feat_normed"), 1e-6),
    **dict.fromkeys(("cos_score", "top10_scores", "detok_neighbors_scores"), 5e-6),
    "vq_ent_per_t": 1e-4,
    **dict.fromkeys((f"cls_attn_{row}" for row in range(4)), 1e-6),
    "attn_full_cls_rows": 1e-6,
}
RANKED = {  # ids and words in the order of scores: exact where the scores differ
    "top10_ids": "top10_scores",
    "top10_original_ids": "top10_scores",
    "attnmap_top10_words": "top10_scores",
    "detok_neighbors_ids": "detok_neighbors_scores",
}
INPUTS = {"text/encode_keywords_in", "text/encode_keywords_dyn_len"}
KNOWN_TO_BE_WRONG = {
    "text/forward_text_official_reduced": "a text by ids of the reduced table, in the place of another text's end",
    "batch/cif_fired_marks": "for more than one utterance, frames of one are marked in all",
    "batch_wavnorm/cif_fired_marks": "for more than one utterance, frames of one are marked in all",
}


def tolerance(array: str, expected: float) -> float:
    """How far an array may be from the authors', whose largest value is `expected`."""
    group, _, name = array.rpartition("/")
    if name.endswith("perplexity"):
        # Where it is some hundreds, its logarithm is about 5.4, and a float32's next step from there makes 1e-4.
        return max(1e-4, 1e-6 * expected)
    if group in ("loss", "log"):
        return 1e-4
    return _TOLERANCES.get(name, 1e-5)


@dataclass(frozen=True)
class Variant:
    """attention: how its attention was recorded; normalised: its audio was, in training."""

    name: str
    branches: tuple[Literal["parallel", "cascaded"], ...]
    attention: Attention = "none"
    cif: bool = False
    plus: bool = True
    normalised: bool = False

    @property
    def tags(self) -> tuple[str, ...]:
        return (*SINGLES, "batch", "batch_wavnorm") if self.normalised else (*SINGLES, "batch")

    def arrays(self) -> list[str]:
        """Every array that the authors' code computes rightly."""
        speech = [f"{tag}/{name}" for tag in self.tags for name in self._speech(tag)]
        return [*speech, *self._text_and_image(), *self._objective()]

    def _speech(self, tag: str) -> Iterator[str]:
        yield from ("feat_len", "s3prl_n_hidden")
        for branch in self.branches:
            yield from (f"{branch}_audio_feat", f"{branch}_audio_feat_normed")
        if tag in DETAILED:
            yield from ("hidden_states", "weighted_sum")
        if tag == "single0":
            yield "s3prl_last"
        if "cascaded" in self.branches:
            yield from self._keywords(tag)
        if self.cif:
            yield from (f"cif_{name}" for name in ("alpha", "quantity_out", "original_length", "dsample_feats"))
            yield from ("cif_dsample_feats_length", "cif_dsample_feats_pad_mask")
            if tag in SINGLES:
                yield "cif_fired_marks"

    def _keywords(self, tag: str) -> Iterator[str]:
        yield from ("self_att_out_cls", "kw_proj", "kw_bn", "vq_targets", "vq_targets_original_ids", "keywords")
        yield from ("top10_scores", "top10_ids", "top10_original_ids", "detok_neighbors_ids", "detok_neighbors_scores")
        yield from ("vq_code_perplexity", "vq_prob_perplexity", "vq_ent_per_t")
        if tag in DETAILED:
            yield "cos_score"
        if self.attention == "maps":
            yield "attnmap_top10_words"
            yield from (f"cls_attn_{row}" for row in range(4 if tag == "batch" else 1))
        elif self.attention == "rows" and tag == "batch":
            yield "attn_full_cls_rows"

    def _text_and_image(self) -> Iterator[str]:
        yield from ("image/feat", "image/feat_normed", "text/encode_text_original_vocab")
        if "cascaded" in self.branches:
            yield "text/encode_keywords_out"
            if self.plus:
                yield "text/encode_keywords_dyn_out"

    def _objective(self) -> Iterator[str]:
        yield from ("forward/id", "forward/image_feat", "loss/loss", "log/cl_temp")
        for branch in self.branches:
            yield from (f"forward/{branch}_audio_feat", f"loss/{branch[0]}_cl_loss")
        if "cascaded" in self.branches:
            yield "log/softmax_temp"
            if self.plus:
                yield from ("log/temp", "log/code_perplexity", "log/prob_perplexity", "log/ent_per_t")
        if self.cif:
            yield from ("forward/cif_quantity_out", "forward/cif_target_len", "loss/quantity_loss")
            yield "log/dsample_len_diff"


_BOTH: tuple[Literal["parallel", "cascaded"], ...] = ("parallel", "cascaded")
VARIANTS = (
    Variant("parallel_base", ("parallel",), plus=False),
    Variant("parallel_large", ("parallel",), plus=False),
    Variant("cascaded_base", ("cascaded",), "maps", plus=False),
    Variant("cascaded_large", ("cascaded",), "maps", plus=False),
    Variant("hybrid_base", _BOTH, "rows", normalised=True),
    Variant("hybrid_large_flickr", _BOTH, "rows"),
    Variant("hybrid_large_coco", _BOTH),
    Variant("cascaded_plus_base", ("cascaded",), "rows", cif=True, normalised=True),
    Variant("cascaded_plus_large_coco", ("cascaded",), "rows", cif=True),
    Variant("hybrid_plus_base", _BOTH, "rows", cif=True, normalised=True),
    Variant("hybrid_plus_large_flickr", _BOTH, "rows", cif=True),
)
