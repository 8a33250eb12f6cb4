"""The loss of slots that are told which words were said."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.clip import Tokenizer
from tests.tiny_model import VOCABULARY
from tests.training.published.tiny_training import fresh, noise_batch, recipe, tiny_start
from training.published.module import InTraining
from training.words import Said, Told, ordered_words_loss, words_loss

TOKENS = Tokenizer()
WORDS = [TOKENS.encode(word)[0] for word in ("dog", "cat", "the", "moon")]
TABLE = [0, WORDS[0], TOKENS.sot, TOKENS.eot, *WORDS[1:]]
DOG, CAT, THE, MOON = 1, 4, 5, 6


def test_a_sub_word_counts_the_more_the_fewer_captions_have_it() -> None:
    said = Said(["the dog", "the cat", "the dog and the moon", None], TABLE, TOKENS)
    found = said(torch.tensor([2, 0, 3])).anywhere

    assert found.shape == (3, len(TABLE))
    assert found[0].nonzero().flatten().tolist() == [DOG, THE, MOON]
    assert found[0, MOON] > found[0, DOG] > found[0, THE] > 0
    assert found[1, DOG] == found[0, DOG]
    assert not found[2].any()


def test_what_every_caption_has_counts_nothing() -> None:
    assert not Said(["the dog", "the cat"], TABLE, TOKENS)(torch.tensor([0])).anywhere[0, THE]


def scores(*slots: int) -> Tensor:
    """(1, K, V): each slot is sure of one sub-word."""
    found = torch.full((1, len(slots), len(TABLE)), -1.0)
    for slot, row in enumerate(slots):
        found[0, slot, row] = 1.0
    return found


def said(*rows: int) -> Tensor:
    found = torch.zeros(1, len(TABLE))
    found[0, list(rows)] = 1.0
    return found


def test_it_is_nothing_when_every_slot_hears_a_word_and_every_word_is_heard() -> None:
    assert words_loss(scores(DOG, MOON), torch.tensor([2]), said(DOG, MOON)) == pytest.approx(0.0, abs=1e-5)


def test_it_is_more_for_a_slot_that_hears_nothing_said_and_for_a_word_that_no_slot_hears() -> None:
    right = words_loss(scores(DOG, MOON), torch.tensor([2]), said(DOG, MOON))

    assert words_loss(scores(DOG, CAT), torch.tensor([2]), said(DOG)) > right + 1
    assert words_loss(scores(DOG, DOG), torch.tensor([2]), said(DOG, MOON)) > right + 1


def test_every_word_has_a_slot_of_its_own_in_whatever_order_they_hear() -> None:
    both, told = torch.tensor([2]), said(DOG, MOON)

    assert words_loss(scores(MOON, DOG), both, told) == pytest.approx(0.0, abs=1e-5)
    assert words_loss(scores(DOG, DOG), both, told) == words_loss(scores(MOON, MOON), both, told)


def test_where_slots_are_few_the_rare_words_have_them() -> None:
    told = said(DOG, THE)
    told[0, THE] = 0.1

    assert words_loss(scores(DOG), torch.tensor([1]), told) == pytest.approx(0.0, abs=1e-5)
    assert words_loss(scores(THE), torch.tensor([1]), told) > 1


def test_slots_beyond_an_utterance_s_own_do_not_count() -> None:
    alone = words_loss(scores(DOG), torch.tensor([1]), said(DOG))

    assert words_loss(scores(DOG, CAT), torch.tensor([1]), said(DOG)) == pytest.approx(float(alone), abs=1e-6)


def test_utterances_without_a_known_word_do_not_count() -> None:
    both = torch.cat([scores(DOG), scores(CAT)])
    told = torch.cat([said(DOG), said()])

    assert words_loss(both, torch.tensor([1, 1]), told) == words_loss(scores(DOG), torch.tensor([1]), said(DOG))
    assert words_loss(scores(CAT), torch.tensor([1]), said()) == 0


def test_it_never_breaks_down() -> None:
    sure = scores(CAT, CAT).requires_grad_()
    loss = words_loss(100 * sure, torch.tensor([2]), said(DOG))
    loss.backward()  # type: ignore[no-untyped-call]

    assert math.isfinite(loss.item())
    assert sure.grad is not None
    assert sure.grad.isfinite().all()


def told(*words: list[int]) -> Told:
    """One utterance of words, each of them sub-words."""
    in_order = torch.zeros(1, len(words), len(TABLE))
    for position, rows in enumerate(words):
        in_order[0, position, rows] = 1 / max(1, len(rows))
    return Told(said(*{row for word in words for row in word}), in_order, torch.tensor([len(words)]))


def test_words_are_told_in_the_order_of_the_caption_and_shared_out_among_their_pieces() -> None:
    found = Said(["the dog", "moon, cat the moon", None], TABLE, TOKENS)(torch.tensor([0, 1, 2]))

    assert found.counts.tolist() == [2, 4, 0]
    assert found.in_order.shape == (3, 4, len(TABLE))
    assert [rows.nonzero().flatten().tolist() for rows in found.in_order[0]] == [[THE], [DOG], [], []]
    assert [rows.nonzero().flatten().tolist() for rows in found.in_order[1]] == [[MOON], [CAT], [THE], [MOON]]
    assert found.in_order[1].sum(1).tolist() == [1, 1, 1, 1]
    assert not found.in_order[2].any()


def test_in_order_every_slot_has_a_word_of_its_own() -> None:
    both, right = torch.tensor([2]), told([DOG], [MOON])

    assert ordered_words_loss(scores(DOG, MOON), both, right) == pytest.approx(0.0, abs=1e-5)
    assert ordered_words_loss(scores(MOON, DOG), both, right) > 10
    assert ordered_words_loss(scores(DOG, DOG), both, right) * 2 > 10


def test_a_word_of_two_pieces_is_half_heard_by_one_of_them() -> None:
    whole = scores(DOG)
    whole[0, 0, CAT] = 1.0
    one = torch.tensor([1])

    assert ordered_words_loss(whole, one, told([DOG, CAT])) == pytest.approx(math.log(2), abs=1e-5)
    assert ordered_words_loss(scores(DOG), one, told([DOG, CAT])) > 10


def test_more_slots_than_words_and_more_words_than_slots_count_as_far_as_they_go() -> None:
    two, one = torch.tensor([2]), torch.tensor([1])

    assert ordered_words_loss(scores(DOG, CAT), two, told([DOG])) == pytest.approx(0.0, abs=1e-5)
    assert ordered_words_loss(scores(DOG), one, told([DOG], [MOON])) == pytest.approx(0.0, abs=1e-5)
    assert ordered_words_loss(scores(DOG, CAT), one, told([DOG], [MOON])) == pytest.approx(0.0, abs=1e-5)


def test_a_word_that_the_vocabulary_has_not_keeps_its_place() -> None:
    assert ordered_words_loss(scores(CAT, MOON), torch.tensor([2]), told([], [MOON])) == pytest.approx(0.0, abs=1e-5)
    assert ordered_words_loss(scores(CAT), torch.tensor([1]), told([])) == 0


def test_in_order_it_never_breaks_down() -> None:
    sure = scores(CAT, CAT).requires_grad_()
    loss = ordered_words_loss(100 * sure, torch.tensor([2]), told([DOG], [MOON]))
    loss.backward()  # type: ignore[no-untyped-call]

    assert math.isfinite(loss.item())
    assert sure.grad is not None
    assert sure.grad.isfinite().all()


def test_integrated_slots_are_as_many_as_there_are_words_and_told_in_order(tmp_path: Path) -> None:
    module = InTraining(*fresh(tiny_start(tmp_path / "start"), "hybrid+", loss__words=2.0, loss__scaling_steps=0))
    batch = noise_batch(6)
    word = TOKENS.decode([VOCABULARY[5]])
    found = Said([" ".join([word] * (1 + row % 3)) for row in range(6)], VOCABULARY, TOKENS)(batch.places)
    heard, _, losses = module.train().parts(batch, together=False, told=found)

    assert heard.keywords is not None
    assert heard.keywords.counts.tolist() == found.counts.tolist()
    assert heard.wanted is not None
    assert heard.wanted.tolist() == found.counts.tolist()
    expected = 2.0 * ordered_words_loss(heard.keywords.scores, heard.keywords.counts, found)
    assert torch.equal(losses["words_loss"], expected)

    unknown, _, _ = module.parts(batch, together=False)
    assert unknown.wanted is not None
    assert unknown.wanted.tolist() != found.counts.tolist()


def test_a_recipe_has_it_as_a_weighted_part(tmp_path: Path) -> None:
    start = tiny_start(tmp_path / "start")
    module = InTraining(*fresh(start, "hybrid", loss__words=2.0)).eval()
    batch = noise_batch(6)
    told = Said([TOKENS.decode([VOCABULARY[5 + row]]) for row in range(6)], VOCABULARY, TOKENS)(batch.places)
    heard, _, losses = module.parts(batch, together=False, told=told)

    assert heard.keywords is not None
    expected = 2.0 * words_loss(heard.keywords.scores, heard.keywords.counts, told.anywhere)
    assert torch.equal(losses["words_loss"], expected)
    assert "words_loss" not in module.parts(batch, together=False)[2]


def test_a_model_without_keywords_is_told_no_words() -> None:
    with pytest.raises(ValueError, match=r"loss.words must be 0"):
        recipe("tiny", loss__words=1.0)
