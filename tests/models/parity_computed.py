"""What the networks here make of the inputs that the authors' code was given, by the names the arrays have there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor

from models.branches.cascaded import Keywords, read_keywords
from models.branches.cif import Fired
from models.branches.heads import Head, TransformerHead, padding_mask, prepend
from models.branches.quantizer import Statistics, candidates, cosines
from models.clip import unit
from models.hubert import BatchSemantics, Frames
from models.listeners import pad
from models.official import read_official
from models.official.file import OfficialFile, open_official
from models.speechclip import SpeechClip
from tests.models.parity_variants import SINGLES, Variant
from training.losses import MaskedContrastiveLoss

Array = NDArray[Any]
Waves = list[NDArray[np.float32]]

HUBERT_HEADS = 4  # of the fixtures, which are smaller than any published model
WHOLE_VOCABULARY = 49_408
FRAMES_OF_A_KEYWORD = 20  # how many of them training aims at
_CLS = 9  # positions of which the attention's output was recorded


@dataclass
class Computed:
    """One variant: the model as the authors' `encode_speech` runs it, the arrays of their code, and ours."""

    variant: Variant
    model: SpeechClip
    vocabulary: Sequence[int]
    file: OfficialFile
    waves: Waves
    inputs: Mapping[str, Tensor]
    expected: Mapping[str, Array]
    ours: dict[str, Array] = field(default_factory=dict)

    @classmethod
    @torch.inference_mode()
    def of(cls, variant: Variant, parity: Path) -> Computed:
        folder = parity / variant.name
        official = read_official(folder / "model.ckpt", variant.name, hubert_heads=HUBERT_HEADS)
        waves = list(_arrays(parity / "common" / "wavs.npz").values())
        inputs = {name: torch.from_numpy(array) for name, array in _arrays(folder / "inputs.npz").items()}
        expected = _arrays(folder / "expected.npz")
        file = open_official(folder / "model.ckpt")
        computed = cls(variant, official.build(), official.vocabulary, file, waves, inputs, expected)
        computed._speech()
        computed._texts_and_images()
        computed._objective()
        return computed

    def normalise(self, by_configuration: bool) -> None:
        """The authors' `encode_speech` forgets what their data set does: only HuBERT large normalises by itself."""
        config = self.model.config.audio
        waveform = config.normalize_waveform if by_configuration else config.pre_norm
        self.model.audio_encoder.config = config.model_copy(update={"normalize_waveform": waveform})

    def _speech(self) -> None:
        if self.variant.normalised:
            self.normalise(by_configuration=True)
            self._utterances("batch_wavnorm", self.waves, "official")
        self.normalise(by_configuration=False)
        self._utterances("batch", self.waves, "official")
        for tag, wave in zip(SINGLES, self.waves, strict=True):
            self._utterances(tag, [wave], "independent")

    def _utterances(self, tag: str, waves: Waves, semantics: BatchSemantics) -> None:
        frames = self.model.audio_encoder(*pad(waves), semantics)
        found = {"feat_len": frames.lengths, "weighted_sum": frames.features}
        found["hidden_states"] = torch.stack(list(frames.hidden_states))
        found |= self._attention(frames)
        if "parallel" in self.variant.branches:
            found |= self._embedded("parallel", self._whole(frames))
        if "cascaded" in self.variant.branches:
            heard = self.model.keywords(frames, semantics)
            found |= self._keywords(heard)
            found |= self._embedded("cascaded", read_keywords(self.model.clip, heard.embeddings, heard.counts))
            if heard.fired is not None:
                found |= self._fired(frames, heard.fired)
            self.ours[f"{tag}/attnmap_top10_words"] = self._words(found["top10_ids"])
        self.ours |= {f"{tag}/{name}": tensor.numpy() for name, tensor in found.items()}

    def _whole(self, frames: Frames) -> Tensor:
        branch = self.model.cascaded_branch.parallel if self.variant.plus else self.model.parallel_branch
        vectors: Tensor = branch(frames.features, frames.lengths)
        return vectors

    def _embedded(self, branch: str, vectors: Tensor) -> dict[str, Tensor]:
        """The first paper's code returns unit vectors, the second's does not."""
        raw = vectors if self.variant.plus else unit(vectors)
        return {f"{branch}_audio_feat": raw, f"{branch}_audio_feat_normed": unit(vectors)}

    def _head(self, frames: Frames) -> tuple[Head, Tensor, Tensor]:
        """The attention, what it is given and the padding of that."""
        if "cascaded" in self.variant.branches:
            branch = self.model.cascaded_branch
            return branch.self_att, *branch.prepend(frames.features, frames.lengths)
        whole = self.model.parallel_branch
        return whole.self_att, *prepend([whole.cls], frames.features, frames.lengths)

    def _attention(self, frames: Frames) -> dict[str, Tensor]:
        head, x, padding = self._head(frames)
        tokens = x.shape[1] - frames.features.shape[1]
        out = head(x, padding, queries=x.shape[1])
        weights = head.attention(x, padding, queries=tokens or 1)
        found = {"self_att_out_cls": out[:, :_CLS], "attn_full_cls_rows": weights}
        for row, length in enumerate(frames.lengths.tolist()):
            found[f"cls_attn_{row}"] = weights[row, ..., : length + tokens]
        if isinstance(head, TransformerHead):  # there, their interface for probing leaves the final norm out
            out = head.model.layers[0](x, src_key_padding_mask=padding)
        found |= {"s3prl_last": out[:, tokens:], "s3prl_n_hidden": torch.tensor(len(frames.hidden_states) + 1)}
        return found

    def _keywords(self, heard: Keywords) -> dict[str, Tensor]:
        original = torch.tensor(self.vocabulary)
        top_scores, top = candidates(heard.scores).topk(10)
        neighbour_scores, neighbours = cosines(heard.embeddings, self.model.subwords).topk(5)
        statistics = Statistics.of(heard.scores)
        return {
            **{"kw_proj": heard.projected, "kw_bn": heard.vectors, "cos_score": heard.scores},
            **{"vq_targets": heard.targets, "vq_targets_original_ids": original[heard.targets]},
            **{"top10_scores": top_scores, "top10_ids": top, "top10_original_ids": original[top]},
            **{"detok_neighbors_ids": neighbours, "detok_neighbors_scores": neighbour_scores},
            **{"keywords": heard.embeddings, "vq_code_perplexity": statistics.code_perplexity},
            **{"vq_prob_perplexity": statistics.prob_perplexity, "vq_ent_per_t": statistics.entropy},
        }

    def _words(self, ids: Tensor) -> Array:
        """The pieces as the byte-pair encoding spells them. The fixtures' small vocabularies have made-up ones."""
        whole = self.model.config.clip.text.vocab_size == WHOLE_VOCABULARY
        pieces = SimpleTokenizer().decoder if whole else {number: f"tok{number}" for number in self.vocabulary}
        words = [pieces[self.vocabulary[row]].removesuffix("</w>") for row in ids.flatten().tolist()]
        return np.array(words).reshape(ids.shape)

    def _fired(self, frames: Frames, fired: Fired) -> dict[str, Tensor]:
        return {
            **{"cif_alpha": fired.alpha, "cif_quantity_out": fired.quantity, "cif_original_length": frames.lengths},
            **{"cif_dsample_feats": fired.features, "cif_dsample_feats_length": fired.counts},
            "cif_dsample_feats_pad_mask": padding_mask(fired.features.shape[1], fired.counts),
            "cif_fired_marks": _marks(fired.alpha, int(fired.counts[0])),
        }

    def _texts_and_images(self) -> None:
        clip = self.model.clip
        image = clip.encode_image(self.inputs["images"])
        self.ours |= {"image/feat": image.numpy(), "image/feat_normed": unit(image).numpy()}
        self.ours["forward/image_feat"] = self.model.embed_images(self.inputs["images"]).numpy()
        self.ours["text/encode_text_original_vocab"] = clip.encode_text(self.inputs["text_ids"]).numpy()
        if "cascaded" in self.variant.branches:
            keywords = torch.from_numpy(self.expected["text/encode_keywords_in"])
            counts = torch.full((len(keywords),), keywords.shape[1])
            self.ours["text/encode_keywords_out"] = read_keywords(clip, keywords, counts).numpy()
            if self.variant.plus:
                counts = torch.from_numpy(self.expected["text/encode_keywords_dyn_len"])
                self.ours["text/encode_keywords_dyn_out"] = read_keywords(clip, keywords, counts).numpy()

    def _objective(self) -> None:
        """Their `forward` and `compute_loss` on the batch of four."""
        loss, ids = MaskedContrastiveLoss(), self.inputs["ids"]
        if (trained := self.file.tensors.get("criterion.temperature")) is not None:
            loss.temperature.data.copy_(trained)
        image = torch.from_numpy(self.ours["forward/image_feat"])
        self.ours |= {"forward/id": ids.numpy(), "log/cl_temp": loss.temperature.exp().numpy()}
        total = torch.zeros(())
        for branch in self.variant.branches:
            audio = torch.from_numpy(self.ours[f"batch/{branch}_audio_feat_normed"])
            value = loss(audio, image, ids)
            self.ours |= {f"forward/{branch}_audio_feat": audio.numpy(), f"loss/{branch[0]}_cl_loss": value.numpy()}
            total = total + self.file.setting(f"model_settings.{branch}_objective_weight") * value
        if self.variant.cif:
            total = total + self._quantity()
        self.ours["loss/loss"] = total.numpy()
        if (cascaded := self.model.config.cascaded) is not None:
            self.ours |= {name: np.array(cascaded.temperature) for name in ("log/temp", "log/softmax_temp")}
            for name in ("code_perplexity", "prob_perplexity", "ent_per_t"):
                self.ours[f"log/{name}"] = self.ours[f"batch/vq_{name}"]

    def _quantity(self) -> Tensor:
        """How far the summed weights are from as many keywords as an utterance of that length should have."""
        quantity, lengths = (torch.from_numpy(self.ours[f"batch/{name}"]) for name in ("cif_quantity_out", "feat_len"))
        targets = torch.round(lengths / FRAMES_OF_A_KEYWORD).long()
        loss = F.l1_loss(quantity, targets.float())
        difference = np.abs(self.ours["batch/cif_dsample_feats_length"] - targets.numpy()).mean()
        self.ours |= {"forward/cif_quantity_out": quantity.numpy(), "forward/cif_target_len": targets.numpy()}
        self.ours |= {"loss/quantity_loss": loss.numpy(), "log/dsample_len_diff": np.array(difference)}
        weight = self.file.setting("model_settings.cascaded_branch.downsampling.cif.quantity_loss_weight")
        return loss * float(weight)


def _marks(alpha: Tensor, count: int) -> Tensor:
    """The frames in which a keyword became complete; what is left at the end is marked at its number, not its frame."""
    sums = alpha.double().cumsum(1).floor()
    marks = sums > F.pad(sums[:, :-1], (1, 0))
    if (complete := int(sums[0, -1])) < count:
        marks[0, complete] = True
    return marks


def _arrays(path: Path) -> dict[str, Array]:
    with np.load(path) as file:
        return dict(file)
