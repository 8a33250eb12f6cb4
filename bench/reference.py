"""What one would run instead: HuBERT, CLIP and a branch put together as the published example does.

In float32, attention written out, one utterance at a time; every layer's output is kept and stacked, every position
goes through the whole head, CLIP's text tower reads all its positions, and every keyword is compared by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from models.branches.cascaded import CascadedBranch
from models.branches.heads import TransformerHead
from models.branches.quantizer import SPECIAL
from models.clip import unit
from models.speechclip import SpeechClip


class Reference:
    """network: of a model that searches by its parallel branch, or of a cascaded one; from here on its attention is
    written out.
    """

    def __init__(self, network: SpeechClip) -> None:
        network.audio_encoder.hubert.set_attn_implementation("eager")
        self._network = network

    @torch.inference_mode()
    def embed_speech(self, waves: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """(samples,) each -> (B, E), unit length."""
        return np.concatenate([self._embed(torch.from_numpy(wave)[None]).numpy() for wave in waves])

    def _embed(self, wave: Tensor) -> Tensor:
        features = self._features(wave)
        if self._network.config.search_branch == "parallel":
            return unit(self._whole(features))
        return unit(self._read(self._keywords(self._network.cascaded_branch, features)))

    def _whole(self, features: Tensor) -> Tensor:
        """(1, T, D) -> (1, E), by the token of the whole utterance."""
        if self._network.config.cascaded is None:
            parallel = self._network.parallel_branch
            x, head, project = torch.cat([parallel.cls, features], 1), parallel.self_att, parallel.linear_proj
        else:
            hybrid: Any = self._network.cascaded_branch
            tokens = [token for token in (hybrid.parallel_cls, hybrid.keyword_cls) if token is not None]
            x, head, project = torch.cat([*tokens, features], 1), hybrid.self_att, hybrid.parallel_proj
        whole: Tensor = project(_whole_head(head, x)[:, 0])
        return whole

    def _features(self, wave: Tensor) -> Tensor:
        """(1, N) -> (1, T, D)."""
        encoder = self._network.audio_encoder
        if encoder.config.normalize_waveform:
            wave = F.layer_norm(wave, wave.shape[1:])
        hubert = encoder.hubert
        x = hubert.feature_projection(hubert.feature_extractor(wave).transpose(1, 2))
        x = x + hubert.encoder.pos_conv_embed(x)
        if not encoder.config.pre_norm:
            x = hubert.encoder.layer_norm(x)
        states = [x]
        for layer in hubert.encoder.layers:
            states.append(layer(states[-1]))
        stacked = torch.stack(states)
        if encoder.config.normalize_hidden_states:
            stacked = F.layer_norm(stacked, stacked.shape[-1:])
        return (encoder.layer_weights.softmax(0)[:, None, None, None] * stacked).sum(0)

    def _keywords(self, branch: CascadedBranch, features: Tensor) -> Tensor:
        """(1, T, D) -> (1, K, E) rows of the sub-word table."""
        if branch.keyword_cls is None or branch.parallel_cls is not None:
            raise ValueError("keywords have a reference here in a cascaded model only")
        heard = _whole_head(branch.self_att, torch.cat([branch.keyword_cls, features], 1))
        vectors = branch.keyword_norm(branch.keyword_proj(heard[:, : branch.config.keywords]))
        table = self._network.subwords
        rows = [F.cosine_similarity(vector[:, None], table[None], dim=-1) for vector in vectors.unbind(1)]
        scores = torch.stack(rows, 1).index_fill(-1, torch.tensor(SPECIAL), -torch.inf)
        return F.one_hot(scores.argmax(-1), len(table)).float() @ table

    def _read(self, keywords: Tensor) -> Tensor:
        """All positions of CLIP's text tower."""
        clip: Any = self._network.clip
        table, size = clip.token_embedding.weight, len(clip.positional_embedding)
        tokens = torch.zeros(1, size, dtype=torch.long)
        count = keywords.shape[1]
        tokens[0, 0], tokens[0, count + 1] = len(table) - 2, len(table) - 1
        x = clip.token_embedding(tokens)
        x[:, 1 : count + 1] = keywords
        x = clip.transformer(x + clip.positional_embedding, attn_mask=clip.attn_mask)
        read: Tensor = clip.ln_final(x)[:, count + 1] @ clip.text_projection
        return read


def _whole_head(head: Any, x: Tensor) -> Tensor:
    """Every position's output."""
    if isinstance(head, TransformerHead):
        found: Tensor = head.model(x)
    else:
        found = head.norm(x + head.attend(x, x, x, need_weights=True)[0])
    return found
