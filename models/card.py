"""The model card of a converted checkpoint: what is known of it, from its tensors, its settings and its file alone."""

from __future__ import annotations

import json
from dataclasses import dataclass

from models.config import ModelConfig
from models.official.file import OfficialFile

_SETTINGS = {
    "Data": "data.dataset.name",
    "Audio is cut to (samples)": "audio_encoder.max_audio_len",
    "Waveforms are normalised by the data set": "data.dataset.normalize_waveform",
    "HuBERT": "audio_encoder.name",
    "HuBERT's layers are normalised before they are mixed": "audio_encoder.normalize_hiddenstates",
    "CLIP": "clip.name",
    "Loss": "cl_loss.type",
    "Temperature at the start": "cl_loss.args.temperature",
    "Temperature is learnt": "cl_loss.args.temperature_trainable",
    "Weight of the cascaded loss": "model_settings.cascaded_objective_weight",
    "Weight of the parallel loss": "model_settings.parallel_objective_weight",
    "Batch": "data.batch_size",
    "Batches per step": "trainer.accumulate_grad_batches",
    "Optimiser": "audio_encoder.optim.name",
    "Learning rate": "audio_encoder.optim.args.lr",
    "Steps at most": "trainer.max_steps",
    "Seed": "seed",
    "Embeds for retrieval": "retrieval.audio_feat_src",
}
_BRANCHES = {
    "parallel": "an utterance is one vector, by way of a transformer layer over HuBERT's frames",
    "cascaded": "an utterance becomes a few keywords, which CLIP's text tower reads",
    "hybrid": "an utterance is one vector, and a few keywords beside it, from one shared attention",
    "cascaded+": "an utterance becomes as many keywords as it has, which CLIP's text tower reads",
    "hybrid+": "an utterance is one vector, and as many keywords as it has, from one shared attention",
}
_LICENCE = """\
Not stated for these weights: ask their authors before you pass them on or sell what is made with them.

The code of SpeechCLIP is under the BSD-3-Clause licence; that of SpeechCLIP+ comes without one. The weights contain
those of HuBERT and of CLIP; CLIP's are under the MIT licence.
"""
_MOST_CHARACTERS = 80  # of a setting


@dataclass(frozen=True)
class Source:
    """The checkpoint: its file name, SHA-256 in hex and size."""

    name: str
    sha256: str
    bytes: int


def official_card(config: ModelConfig, file: OfficialFile, source: Source) -> str:
    """Markdown."""
    authors = "SpeechCLIP" if config.branch in ("parallel", "cascaded") else "SpeechCLIP+"
    paper = "2210.00705" if authors == "SpeechCLIP" else "2402.06959"
    return f"""\
# {_plain(config.name)}

A {authors} model ([arXiv {paper}](https://arxiv.org/abs/{paper})), converted from its authors' checkpoint. It puts
speech into the space of CLIP's images and texts; the speech is not transcribed.

## Model

{_table(_dimensions(config))}
The {config.branch} branch: {_BRANCHES[config.branch]}.
What searches use is the {config.search_branch} vector.

## Origin

{_table([("File", source.name), ("SHA-256", source.sha256), ("Bytes", f"{source.bytes:,}"), *_progress(file)])}
The weights are the checkpoint's, number for number; what only training needs was left out.

## Training

{_table(_settings(file)) or "The checkpoint does not tell."}
## Licence

{_LICENCE}"""


def _dimensions(config: ModelConfig) -> list[tuple[str, object]]:
    audio, vision, text = config.audio, config.clip.vision, config.clip.text
    return [
        ("Branch", config.branch),
        ("Dimensions of an embedding", config.embedding_size),
        ("HuBERT", f"{audio.layers} layers of {audio.hidden_size}, {audio.heads} heads"),
        ("CLIP, images", f"{vision.layers} layers of {vision.width}, patches of {vision.patch_size} pixels"),
        ("CLIP, texts", f"{text.layers} layers of {text.width}, {text.vocab_size:,} sub-words"),
        ("Waveforms are normalised", audio.normalize_waveform),
    ]


def _progress(file: OfficialFile) -> list[tuple[str, object]]:
    told = [("Steps", file.steps), ("Epoch", file.epoch)]
    return [(name, value) for name, value in told if value is not None]


def _settings(file: OfficialFile) -> list[tuple[str, object]]:
    told = [(name, file.setting(path)) for name, path in _SETTINGS.items()]
    return [(name, value) for name, value in told if isinstance(value, str | int | float)]


def _table(rows: list[tuple[str, object]]) -> str:
    if not rows:
        return ""
    lines = [f"| {name} | {_plain(value)} |\n" for name, value in rows]
    return "".join(["| | |\n|---|---|\n", *lines])


def _plain(value: object) -> str:
    """On one line, and nothing that Markdown would make more of than text: it comes from a stranger's file."""
    text = value if isinstance(value, str) else json.dumps(value)
    return "".join(_ESCAPED.get(letter, letter) if letter.isprintable() else "?" for letter in text[:_MOST_CHARACTERS])


_ESCAPED = {letter: f"\\{letter}" for letter in "\\`*[]<>|"}
