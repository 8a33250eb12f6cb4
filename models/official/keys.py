"""What the tensors of a model are called in the authors' checkpoints (spec sections 3.3 and 4.2)."""

from __future__ import annotations

import re

from models.config import ModelConfig

HUBERT = "audio_encoder.encoder."
CLIP = "clip.model."
REDUCED_TABLE = "clip.model.token_embedding.weight"
FULL_TABLE = "clip.original_text_emb_weight"

CASCADED = "cascaded_branch."

_RENAMED = [
    (r"audio_encoder\.layer_weights", "audio_encoder.weightedsum_layer.weights"),
    (r"audio_encoder\.hubert\.", HUBERT),
    (r"(encoder\.)masked_spec_embed", r"\1mask_emb"),
    (r"(conv_layers\.\d+)\.conv\.", r"\1.0."),
    (r"feature_projection\.layer_norm\.", "layer_norm."),
    (r"feature_projection\.projection\.", "post_extract_proj."),
    (r"pos_conv_embed\.conv\.parametrizations\.weight\.original0", "pos_conv.0.weight_g"),
    (r"pos_conv_embed\.conv\.parametrizations\.weight\.original1", "pos_conv.0.weight_v"),
    (r"pos_conv_embed\.conv\.", "pos_conv.0."),
    (r"(encoder\.layers\.\d+)\.layer_norm\.", r"\1.self_attn_layer_norm."),
    (r"(encoder\.layers\.\d+)\.attention\.", r"\1.self_attn."),
    (r"feed_forward\.intermediate_dense\.", "fc1."),
    (r"feed_forward\.output_dense\.", "fc2."),
    (r"^clip\.", CLIP),
    (r"(branch\.self_att)\.attend\.", r"\1.multihead_attn_layer."),
    (r"(branch\.self_att)\.norm\.", r"\1.attentionBlock_Norm."),
    (r"branch\.keyword_norm\.norm\.", "branch.bn_layer.bn_layer."),
    (r"branch\.cif\.", "branch.downsampling."),
    (r"downsampling\.weight_proj\.", "downsampling.weight_proj.1."),
    (r"branch\.keyword_proj\.", "branch.linear_proj."),
    (r"_proj\.layers\.", "_proj.sequential."),
]
# In the authors' networks there is an activation and a dropout between two layers, and they are counted too.
_EVERY_THIRD = re.compile(r"(sequential|downsampling\.conv)\.(\d+)")
_CONV_NORM = re.compile(r"(conv_layers\.\d+)\.layer_norm\.")
_TOKENS = {  # by branch: what the learnt tokens are called
    "cascaded": {"keyword_cls": "cls"},
    "hybrid": {"keyword_cls": "cascaded_cls"},
    "hybrid+": {"parallel_cls": "cls"},
}
_UNUSED = re.compile(
    r"criterion\."  # the loss: its buffers even have sizes that do not fit the released code
    rf"|{re.escape(HUBERT)}(label_embs_concat$|final_proj\.)"  # HuBERT's own training targets
    rf"|{re.escape(CASCADED)}(clip\.|vector_quantizer\.curr_temp$)"  # CLIP a second time; what is in the settings
)


def official_name(name: str, config: ModelConfig) -> str:
    """The name in a checkpoint of the tensor that `SpeechClip(config)` calls `name`."""
    name = _CONV_NORM.sub(r"\1.2.1." if config.audio.conv_norm == "layer" else r"\1.2.", name)
    for ours, theirs in _RENAMED:
        name = re.sub(ours, theirs, name)
    for ours, theirs in _TOKENS.get(config.branch, {}).items():
        name = name.replace(f"{CASCADED}{ours}", f"{CASCADED}{theirs}")
    return _EVERY_THIRD.sub(lambda found: f"{found[1]}.{3 * int(found[2])}", name)


def is_unused(name: str) -> bool:
    """Whether a tensor of a checkpoint has no part in embedding anything."""
    return _UNUSED.match(name) is not None
