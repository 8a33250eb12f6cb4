"""The whole of nano's training, stage by stage, over one folder of work."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from models.clip import Tokenizer, build_clip
from models.encoder import load_encoder
from models.folder import save_model
from models.protocol import Encoder
from models.speechclip import SpeechClip
from training.errors import NotReady
from training.nano.batches import SpokenCorpus
from training.nano.checkpoint import load_stage
from training.nano.clip_stage import train_clip
from training.nano.corpora import heard, with_scenes
from training.nano.ctc import PhonemeLoss
from training.nano.drawings import HELD_OUT, TRAINING, cached_vendor
from training.nano.evaluate import Gallery, drawings_gallery, figures, keywords_gallery, slot_figures
from training.nano.frozen import freeze, train_head
from training.nano.keyword_loss import KeywordLoss
from training.nano.lexicon import Lexicon, load_lexicon
from training.nano.listener import Listener
from training.nano.pairs import Drawings, PairLoss, drawing_pairs, embed_drawings, text_pairs
from training.nano.phonemes import load_phonemes
from training.nano.recipe import Recipe
from training.nano.retrieval import Recall
from training.nano.scene_stage import cached_scenes, train_scenes
from training.nano.speech_stages import listening, train_speech, tuning
from training.nano.spoken_scenes import spoken_scenes
from training.nano.text_stage import train_text
from training.published.vocabulary import count_subwords, in_order

JUDGED = ("noto", HELD_OUT)
VOCABULARY = "vocabulary.json"
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Workshop:
    """folder/packages: npm packages; folder/speech: shards; folder/scenes: spoken captions, if there are any; folder
    itself: checkpoints and caches.
    """

    folder: Path
    recipe: Recipe

    @property
    def packages(self) -> Path:
        return self.folder / "packages"

    @property
    def speech(self) -> Path:
        return self.folder / "speech"

    @property
    def spoken_scenes(self) -> Path:
        return self.folder / "scenes"

    @cached_property
    def lexicon(self) -> Lexicon:
        return load_lexicon(self.packages)

    def train_clip(self) -> None:
        train_clip(self.recipe, self.packages, self.folder, self.lexicon)

    def clip(self, stage: str = "scenes") -> nn.Module:
        """CLIP as a stage has left it, frozen."""
        clip = build_clip(self.recipe.model.clip, self.recipe.model.embedding_size)
        if not load_stage(self.folder / f"{stage}.pt", clip):
            raise _missing(self.folder, stage)
        return clip.eval().requires_grad_(False)

    def read(self) -> None:
        """CLIP's text tower goes on alone."""
        clip, phrases = self.clip("clip"), self.lexicon.phrases
        pairs = drawing_pairs(clip, self._drawings, phrases, self.lexicon.members)
        train_text(self.recipe, self.folder, clip, phrases, pairs)

    def scenes(self) -> None:
        """CLIP goes on with scenes."""
        clip, recipe = self.clip("read"), self.recipe
        scenes = cached_scenes(self.packages, self.folder, recipe.drawn_scenes, recipe.seed)
        drawings = np.concatenate([pixels for pixels, _ in self._drawings])
        train_scenes(recipe, self.folder, clip, scenes, drawings, self.lexicon.phrases)

    def listen(self) -> None:
        corpus = heard(self.speech)
        phonemes = self._phonemes(corpus[0].phrases)
        listener = self._listener(phonemes)
        objective = listening(listener, phonemes)
        train_speech(self.folder / "listen.pt", listener, objective, corpus, self.recipe.listen, self.recipe.seed)

    def align(self) -> None:
        """The head alone, on the frozen features of the listening encoder."""
        corpus = heard(self.speech, self.lexicon.members.__contains__)
        listener = self._listener_from("listen", corpus[0])
        stage, seed = self.recipe.align, self.recipe.seed
        frozen = freeze(listener, corpus, self.recipe.frozen_batches, stage.batch, seed)
        train_head(self.folder / "align.pt", listener, frozen, self._pairs(corpus[0].phrases), stage, seed)

    def tune(self) -> None:
        """Encoder and head together; the convolutions, which are a third of the work, only at first.

        Captions of scenes are heard too where there are some.
        """
        corpus = heard(self.speech, self.lexicon.members.__contains__)
        scenes = spoken_scenes(self.spoken_scenes) if self.spoken_scenes.is_dir() else None
        if scenes:
            corpus = with_scenes(corpus, scenes.source)
        phrases = corpus[0].phrases
        listener = self._listener_from("align", corpus[0])
        clip, tokens = self.clip(), self._tokens
        pairs = [self._pairs(phrases), text_pairs(clip, tokens, self.lexicon.phrases, phrases)]
        pairs += scenes.pairs(clip, tokens, phrases) if scenes else ()
        keywords = KeywordLoss(clip, phrases, self._vocabulary(phrases), tokens)
        listener.cascaded_branch.keyword_norm.start_at(keywords.table)
        objective = tuning(listener, self._phonemes(phrases), pairs, keywords)
        checkpoint, seed = self.folder / "tune.pt", self.recipe.seed
        train_speech(checkpoint, listener, objective, corpus, self.recipe.tune, seed, self.report)

    def _listener_from(self, stage: str, corpus: SpokenCorpus) -> Listener:
        listener = self._listener(self._phonemes(corpus.phrases))
        if not load_stage(self.folder / f"{stage}.pt", listener):
            raise _missing(self.folder, stage)
        return listener

    @property
    def _drawings(self) -> Sequence[Drawings]:
        """Those that are trained on."""
        return [cached_vendor(self.packages, self.folder, vendor, self.lexicon) for vendor in TRAINING]

    def _pairs(self, phrases: Sequence[str]) -> PairLoss:
        return drawing_pairs(self.clip(), self._drawings, phrases, self.lexicon.members)

    @property
    def _tokens(self) -> Tokenizer:
        return Tokenizer.of(self.recipe.model.clip.text)

    def report(self, listener: Listener) -> Mapping[str, Mapping[int, float]]:
        """Recalls of the model card for a network in training."""
        clip = self.clip()
        galleries = [self._gallery(vendor, lambda pixels: embed_drawings(clip, pixels).numpy()) for vendor in JUDGED]
        found = figures(self.lexicon, galleries, listener.embed_speech)
        return {title: recall.at for title, recall in found.items()}

    def evaluate(self, model: str) -> Mapping[str, Recall]:
        """The figures of the model card for a model folder or a shipped model."""
        encoder = load_encoder(model)

        def embed(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            return _in_parts(encoder.embed_images, [Image.fromarray(one) for one in pixels])

        keywords = keywords_gallery(_in_parts(encoder.embed_texts, self.lexicon.phrases), self.lexicon)
        galleries = [*(self._gallery(vendor, embed) for vendor in JUDGED), keywords]
        one_by_one = partial(_in_parts, lambda waves: encoder.embed_speech(waves).vectors, size=1)
        found = figures(self.lexicon, galleries, one_by_one)
        directions = encoder.slot_words(self.lexicon.phrases)
        if directions is None:
            return found
        return {**found, **slot_figures(self.lexicon, directions, partial(_slots, encoder))}

    def _gallery(self, vendor: str, embed: Callable[[NDArray[np.uint8]], NDArray[np.float32]]) -> Gallery:
        pixels, positions = cached_vendor(self.packages, self.folder, vendor, self.lexicon)
        return drawings_gallery(vendor, embed(pixels), positions, self.lexicon)

    def export(self, out: Path, card: str) -> None:
        """Write the model folder of the last checkpoints of the stages 'scenes' and 'tune'."""
        if not (self.folder / "tune.pt").exists():
            raise _missing(self.folder, "tune")
        saved, clip = torch.load(self.folder / "tune.pt", weights_only=True)["weights"], self.clip()
        vocabulary = json.loads((self.folder / VOCABULARY).read_text(encoding="utf-8"))
        model = SpeechClip(self.recipe.model_of(len(vocabulary)), vocabulary)
        speech = {name: saved[name] for name in saved if name.startswith(("audio_encoder.", "cascaded_branch."))}
        model.load_state_dict(speech | {f"clip.{name}": tensor for name, tensor in clip.state_dict().items()})
        save_model(model, out, vocabulary, card, half=True)

    def _phonemes(self, phrases: Sequence[str]) -> PhonemeLoss:
        # The alphabet is that of everything ever said, so that both stages number it alike.
        return PhonemeLoss(phrases, load_phonemes(self.folder, [*self.lexicon.phrases, *phrases]))

    def _listener(self, phonemes: PhonemeLoss) -> Listener:
        torch.manual_seed(self.recipe.seed)
        return Listener(self.recipe.model, phonemes.symbols)

    def _vocabulary(self, phrases: Sequence[str]) -> Sequence[int]:
        """The sub-words that keywords are chosen from, those of all phrases, kept for the export."""
        found = in_order(count_subwords([*self.lexicon.phrases, *phrases], self._tokens), self._tokens)
        (self.folder / VOCABULARY).write_text(json.dumps(found), encoding="utf-8")
        return found


def _missing(folder: Path, stage: str) -> NotReady:
    return NotReady(f"{folder / f'{stage}.pt'} is missing: run the stage {stage!r} first")


def _slots(encoder: Encoder, waves: Sequence[NDArray[np.float32]]) -> Sequence[Sequence[NDArray[np.float32]]]:
    """What the keyword slots of each utterance heard, each utterance alone."""
    heard = (encoder.embed_speech([wave], return_keywords=True).keywords or [[]] for wave in waves)
    return [[slot.vector for slot in slots] for (slots,) in heard]


def _in_parts(
    embed: Callable[[Sequence[T]], NDArray[np.float32]], items: Sequence[T], size: int = 256
) -> NDArray[np.float32]:
    return np.concatenate([embed(items[start : start + size]) for start in range(0, len(items), size)])
