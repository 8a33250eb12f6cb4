"""The whole of nano's training, stage by stage, over one folder of work."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from models.clip import Tokenizer, build_clip
from models.config import ModelConfig
from models.encoder import load_encoder
from models.folder import find_model, save_model
from models.protocol import Encoder
from models.published.shelf import read_card
from models.speechclip import SpeechClip
from training.errors import NotReady
from training.nano.batches import SpokenCorpus
from training.nano.checkpoint import load_stage
from training.nano.clip_stage import train_clip
from training.nano.corpora import Weighted, heard, with_scenes
from training.nano.ctc import PhonemeLoss
from training.nano.digest import digest
from training.nano.drawings import HELD_OUT, TRAINING, cached_vendor
from training.nano.evaluate import Gallery, drawings_gallery, figures, in_parts, keywords_gallery, slot_figures
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
from training.nano.spoken_scenes import SpokenScenes, spoken_scenes
from training.nano.text_stage import train_text
from training.published.vocabulary import count_subwords, in_order

JUDGED = ("noto", HELD_OUT)
VOCABULARY = "vocabulary.json"


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
        pairs = drawing_pairs(self.clip(), self._drawings, corpus[0].phrases, self.lexicon.members)
        train_head(self.folder / "align.pt", listener, frozen, pairs, stage, seed)

    def tune(self) -> None:
        """Encoder and head together; the convolutions, which are a third of the work, only at first.

        Captions of scenes are heard too where there are some.
        """
        corpus, scenes = self._said()
        phrases = corpus[0].phrases
        listener, clip = self._listener_from("align", corpus[0]), self.clip()
        keywords = KeywordLoss(clip, phrases, self._vocabulary(phrases), self._tokens)
        listener.cascaded_branch.keyword_norm.start_at(keywords.table)
        objective = tuning(listener, self._phonemes(phrases), self._all_pairs(clip, phrases, scenes), keywords)
        checkpoint, seed = self.folder / "tune.pt", self.recipe.seed
        train_speech(checkpoint, listener, objective, corpus, self.recipe.tune, seed, partial(self.report, clip))

    def again(self, model: str, out: Path) -> None:
        """Tuning goes on from a model folder, or a shipped model, with what speech there is now, to another folder.

        What training alone needs is in no model folder: phonemes are learnt anew, with everything else as it is.
        Cut off, it goes on; with other speech or other settings it begins anew.
        """
        folder, recipe, seed = find_model(model), self.recipe, self.recipe.seed
        if folder.config.branch != recipe.model.branch:
            raise NotReady(f"{model} is a {folder.config.branch} model, and tuning is for {recipe.model.branch}")
        network = folder.load()
        clip = network.clip.eval().requires_grad_(False)
        corpus, scenes = self._said()
        phrases = corpus[0].phrases
        phonemes = self._phonemes(phrases)
        settings = (recipe.phonemes, recipe.again, seed, recipe.sharpness, phonemes.alphabet)
        name = f"{folder.fingerprint[:12]}-{digest(corpus, scenes, settings)}"
        listener = self._listener(phonemes, folder.config)
        listener.load_state_dict(network.state_dict(), strict=False)
        listener.scale.data.fill_(math.log(recipe.sharpness))
        listener.audio_encoder.requires_grad_(False)
        fitted = self.folder / f"phonemes-{name}.pt"
        train_speech(fitted, listener, listening(listener, phonemes), corpus, recipe.phonemes, seed)
        listener.audio_encoder.requires_grad_(True)
        keywords = KeywordLoss(clip, phrases, folder.vocabulary, self._tokens)
        objective = tuning(listener, phonemes, self._all_pairs(clip, phrases, scenes), keywords)
        tuned = self.folder / f"again-{name}.pt"
        train_speech(tuned, listener, objective, corpus, recipe.again, seed, partial(self.report, clip))
        network.load_state_dict(_speech_side(listener.state_dict()), strict=False)
        save_model(network, out, folder.vocabulary, read_card(folder.path), half=True)

    def _said(self) -> tuple[Weighted, SpokenScenes | None]:
        """Names, and the captions of scenes where there are some."""
        corpus = heard(self.speech, self.lexicon.members.__contains__)
        scenes = spoken_scenes(self.spoken_scenes) if self.spoken_scenes.is_dir() else None
        return (with_scenes(corpus, scenes.source) if scenes else corpus), scenes

    def _all_pairs(self, clip: nn.Module, phrases: Sequence[str], scenes: SpokenScenes | None) -> Sequence[PairLoss]:
        """Of names and captions, with pictures and with texts."""
        names = (
            drawing_pairs(clip, self._drawings, phrases, self.lexicon.members),
            text_pairs(clip, self._tokens, self.lexicon.phrases, phrases),
        )
        return [*names, *(scenes.pairs(clip, self._tokens, phrases) if scenes else ())]

    def _listener_from(self, stage: str, corpus: SpokenCorpus) -> Listener:
        listener = self._listener(self._phonemes(corpus.phrases))
        if not load_stage(self.folder / f"{stage}.pt", listener):
            raise _missing(self.folder, stage)
        return listener

    @property
    def _drawings(self) -> Sequence[Drawings]:
        """Those that are trained on."""
        return [cached_vendor(self.packages, self.folder, vendor, self.lexicon) for vendor in TRAINING]

    @property
    def _tokens(self) -> Tokenizer:
        return Tokenizer.of(self.recipe.model.clip.text)

    def report(self, clip: nn.Module, listener: Listener) -> Mapping[str, Mapping[int, float]]:
        """Recalls of the model card for a network in training."""
        galleries = [self._gallery(vendor, lambda pixels: embed_drawings(clip, pixels).numpy()) for vendor in JUDGED]
        found = figures(self.lexicon, galleries, listener.embed_speech)
        return {title: recall.at for title, recall in found.items()}

    def evaluate(self, model: str) -> Mapping[str, Recall]:
        """The figures of the model card for a model folder or a shipped model."""
        encoder = load_encoder(model)

        def embed(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            return in_parts(encoder.embed_images, [Image.fromarray(one) for one in pixels])

        keywords = keywords_gallery(in_parts(encoder.embed_texts, self.lexicon.phrases), self.lexicon)
        galleries = [*(self._gallery(vendor, embed) for vendor in JUDGED), keywords]
        one_by_one = partial(in_parts, lambda waves: encoder.embed_speech(waves).vectors, size=1)
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
        model.load_state_dict(
            _speech_side(saved) | {f"clip.{name}": tensor for name, tensor in clip.state_dict().items()}
        )
        save_model(model, out, vocabulary, card, half=True)

    def _phonemes(self, phrases: Sequence[str]) -> PhonemeLoss:
        # The alphabet is that of everything ever said, so that both stages number it alike.
        return PhonemeLoss(phrases, load_phonemes(self.folder, [*self.lexicon.phrases, *phrases]))

    def _listener(self, phonemes: PhonemeLoss, config: ModelConfig | None = None) -> Listener:
        """New, of the recipe's sizes or of a model's own."""
        torch.manual_seed(self.recipe.seed)
        return Listener(config or self.recipe.model, phonemes.symbols)

    def _vocabulary(self, phrases: Sequence[str]) -> Sequence[int]:
        """The sub-words that keywords are chosen from, those of all phrases, kept for the export."""
        found = in_order(count_subwords([*self.lexicon.phrases, *phrases], self._tokens), self._tokens)
        (self.folder / VOCABULARY).write_text(json.dumps(found), encoding="utf-8")
        return found


def _speech_side(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of a listener, what a model has of it."""
    return {name: weights[name] for name in weights if name.startswith(("audio_encoder.", "cascaded_branch."))}


def _missing(folder: Path, stage: str) -> NotReady:
    return NotReady(f"{folder / f'{stage}.pt'} is missing: run the stage {stage!r} first")


def _slots(encoder: Encoder, waves: Sequence[NDArray[np.float32]]) -> Sequence[Sequence[NDArray[np.float32]]]:
    """What the keyword slots of each utterance heard, each utterance alone."""
    heard = (encoder.embed_speech([wave], return_keywords=True).keywords or [[]] for wave in waves)
    return [[slot.vector for slot in slots] for (slots,) in heard]
