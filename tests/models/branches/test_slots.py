"""Slots as people read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.branches.keywords import KeywordSlot
from models.branches.slots import SlotReader
from models.clip import Tokenizer
from models.listeners import pad
from models.speechclip import SpeechClip
from tests.tiny_model import VOCABULARY, Style, tiny_config, tiny_speechclip

Noises = Callable[[Sequence[int]], list[NDArray[np.float32]]]
WHOLE = 49_408


@pytest.fixture(params=["cascaded", "hybrid", "cascaded+", "hybrid+"])
def model(request: pytest.FixtureRequest, style: Style) -> SpeechClip:
    return tiny_speechclip(tiny_config(style, request.param)).requires_grad_(False)


def read(model: SpeechClip, waves: list[NDArray[np.float32]]) -> list[list[KeywordSlot]]:
    frames = model.audio_encoder(*pad(waves))
    return SlotReader(VOCABULARY, Tokenizer(614, 12)).read(model, frames, model.keywords(frames))


def test_every_slot_has_its_place_in_the_utterance(model: SpeechClip, noises: Noises) -> None:
    waves = noises([1_600, 16_000])
    for wave, slots in zip(waves, read(model, waves), strict=True):
        assert [slot.slot for slot in slots] == list(range(len(slots)))
        for slot in slots:
            assert 0 <= slot.start < slot.end <= len(wave) / 16_000
            assert slot.frame_seconds == 0.02
            assert slot.attention.shape == (model.config.audio.frame_count(len(wave)),)
            assert slot.attention.sum() == pytest.approx(1, abs=1e-5)
            inside = slot.attention[round(slot.start / 0.02) : round(slot.end / 0.02)].sum()
            assert inside == pytest.approx(1, abs=1e-5) if model.cascaded_branch.cif else inside > 0.5 - 1e-5


def test_integrated_slots_follow_each_other(noises: Noises) -> None:
    model = tiny_speechclip(tiny_config(branch="hybrid+")).requires_grad_(False)
    (slots,) = read(model, noises([16_000]))

    assert len(slots) > 2
    assert slots[0].start == 0
    for before, after in pairwise(slots):
        assert after.start == pytest.approx(before.end - 0.02)  # the frame of a crossing belongs to both


def test_sub_words_are_those_of_the_vocabulary_nearest_first(model: SpeechClip, noises: Noises) -> None:
    waves = noises([16_000, 5_000])
    heard = model.keywords(model.audio_encoder(*pad(waves)))
    for row, slots in enumerate(read(model, waves)):
        for slot in slots:
            scores = [piece.score for piece in slot.subwords]
            assert len(slot.subwords) == 10
            assert scores == sorted(scores, reverse=True)
            assert slot.subwords[0].id == VOCABULARY[int(heard.targets[row, slot.slot])]
            assert not {piece.id for piece in slot.subwords} & {0, 612, 613}
            for piece in slot.subwords:
                direction = torch.nn.functional.normalize(model.clip.token_embedding.weight[piece.id], dim=0)
                assert float(slot.vector @ direction.numpy()) == pytest.approx(piece.score, abs=1e-5)


def test_a_slot_of_a_small_model_has_all_there_are(noises: Noises) -> None:
    config = tiny_config(branch="cascaded")
    assert config.cascaded is not None
    few = config.model_copy(update={"cascaded": config.cascaded.model_copy(update={"vocabulary_size": 5})})
    model = SpeechClip(few, VOCABULARY[:5]).eval().requires_grad_(False)
    frames = model.audio_encoder(*pad(noises([8_000])))
    (slots,) = SlotReader(VOCABULARY[:5], Tokenizer(614, 12)).read(model, frames, model.keywords(frames))

    assert [{piece.id for piece in slot.subwords} for slot in slots] == [{320, 271}] * 4


def test_pieces_are_written_with_a_mark_where_a_word_ends() -> None:
    tokens = Tokenizer(WHOLE)
    reader = SlotReader(range(WHOLE), tokens)
    for text in ("giraffe", "dog", "naïve", "😭💕", "!"):
        pieces = [reader.piece(id) for id in tokens.encode(text)]
        assert pieces[-1].endswith("</w>")
        assert "".join(pieces) == f"{text}</w>"
