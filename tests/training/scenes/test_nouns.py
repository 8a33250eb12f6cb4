"""Articles, plurals and numbers."""

from __future__ import annotations

import pytest

from training.scenes.nouns import listed, noun, regular_plural, with_article


@pytest.mark.parametrize(
    ("singular", "plural"),
    [
        ("dog", "dogs"),
        ("fox", "foxes"),
        ("ostrich", "ostriches"),
        ("wine glass", "wine glasses"),
        ("trophy", "trophies"),
        ("monkey", "monkeys"),
        ("smiley", "smileys"),
        ("t shirt", "t shirts"),
    ],
)
def test_regular_plurals(singular: str, plural: str) -> None:
    assert regular_plural(singular) == plural


def test_a_plural_that_is_told_is_taken() -> None:
    assert noun("mouse/mice").plural == "mice"
    assert noun(" pair of skis/pairs of skis ").singular == "pair of skis"
    assert noun("cat").plural == "cats"


@pytest.mark.parametrize(
    ("phrase", "article"),
    [
        ("red apple", "a"),
        ("apple", "an"),
        ("orange whale", "an"),
        ("unicorn", "a"),
        ("umbrella", "an"),
        ("hourglass", "an"),
        ("house", "a"),
        ("old man", "an"),
        ("owl", "an"),
        ("eye", "an"),
        ("ear of corn", "an"),
    ],
)
def test_articles_go_by_the_sound(phrase: str, article: str) -> None:
    assert with_article(phrase) == f"{article} {phrase}"


def test_lists() -> None:
    assert listed(["a cat"]) == "a cat"
    assert listed(["a cat", "a dog"]) == "a cat and a dog"
    assert listed(["a cat", "a dog", "two owls"]) == "a cat, a dog and two owls"
