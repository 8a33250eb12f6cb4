"""The sub-words that keywords are chosen from."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.branches.quantizer import SPECIAL
from models.clip import Tokenizer
from tests.tiny_model import VOCABULARY
from tests.training.published.tiny_training import recipe, tiny_start, write_corpus
from training.datasets import open_dataset
from training.published.errors import TrainingError
from training.published.vocabulary import count_subwords, in_order, vocabulary_of

TOKENS = Tokenizer()


def test_the_most_frequent_come_first_after_those_that_are_no_words() -> None:
    found = in_order(count_subwords(["A dog and a cat .", "a dog", None, ""], TOKENS), TOKENS)

    assert [found[place] for place in SPECIAL] == [0, 49_406, 49_407]
    words = [TOKENS.decode([found[place]]).strip() for place in (1, *range(4, len(found)))]
    assert words[:2] == ["a", "dog"]
    assert set(words[2:]) == {"and", "cat"}
    assert len(set(found)) == len(found)


def test_a_list_in_another_order_is_put_into_that_of_the_published_models() -> None:
    """Or a keyword could become the start of a text, and one sub-word never a keyword."""
    assert in_order([0, 49_406, 49_407, 64, 65, 66], TOKENS) == [0, 64, 49_406, 49_407, 65, 66]
    assert in_order([0, 320, 49_406, 49_407, 530], TOKENS) == [0, 320, 49_406, 49_407, 530]
    assert in_order([], TOKENS) == [0, 49_406, 49_407]


def test_it_is_the_start_s_or_the_captions(tmp_path: Path) -> None:
    start = tiny_start(tmp_path / "start")
    dataset = open_dataset("manifest", write_corpus(tmp_path / "corpus"), "train")

    assert vocabulary_of(recipe(start.path), start, dataset) == list(VOCABULARY)
    counted = vocabulary_of(recipe(start.path, vocabulary="captions"), start, dataset)
    assert [counted[place] for place in SPECIAL] == [0, 612, 613]
    assert max(counted) < start.config.clip.text.vocab_size


def test_keywords_need_something_to_choose_from(tmp_path: Path) -> None:
    start = tiny_start(tmp_path / "start")
    corpus = write_corpus(tmp_path / "corpus")
    manifest = corpus / "manifest.jsonl"
    lines = manifest.read_text().splitlines()
    manifest.write_text("".join(line.replace('"text": "square number', '"said": "') + "\n" for line in lines))
    dataset = open_dataset("manifest", corpus, "train")

    with pytest.raises(TrainingError, match="the captions have 3 sub-words to choose keywords from, 5 are the least"):
        vocabulary_of(recipe(start.path, "cascaded", vocabulary="captions"), start, dataset)
