"""Captions are English, and true of the picture."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from tests.training.scenes.scene_packages import COLOUR_OF
from training.scenes.captions import MOST_WORDS, Caption, captions
from training.scenes.colours import COLOURS, PAINTS
from training.scenes.compose import compose
from training.scenes.picture import Painter
from training.scenes.scene import Scene
from training.scenes.things import Catalogue

BEHIND = r" (?:on|against|in front of|with) (?:an? )?(\w+)(?: background| wall)"
NAMES = r"(?:dog|puppy|cat|kitten|frog|apple|unicorn|moon|umbrella|glasses)"
SIDES = "(?:to the |on the )?(?:left|right)(?: side)? of"
RELATED = re.compile(
    rf"({NAMES}) (?:is )?({SIDES}|above|over|below|under|underneath|beneath|next to|beside)"
    rf" (?:the|an?) (?:\w+ ){{0,3}}?({NAMES})(?! )"
)
ABOUT_THE_BACKDROP = re.compile(rf"{BEHIND}| on (?:{'|'.join(COLOURS)})\b|green (?:grass|field)|red evening")
USUAL = {"puppy": "dog", "kitten": "cat", "glasses": "pair of glasses"}


@pytest.fixture(scope="module")
def told(drawn: Catalogue) -> list[tuple[Scene, list[Caption]]]:
    scenes = [compose(drawn, random.Random(seed)) for seed in range(600)]
    return [(scene, captions(scene, 5, random.Random(seed))) for seed, scene in enumerate(scenes)]


def test_captions_of_a_scene_differ_and_are_short(told: list[tuple[Scene, list[Caption]]]) -> None:
    for _, said in told:
        texts = [caption.text for caption in said]

        assert len(set(texts)) == 5
        assert all(1 <= len(text.split()) <= MOST_WORDS for text in texts)


def test_texts_are_words_alone_and_voices_get_the_marks(told: list[tuple[Scene, list[Caption]]]) -> None:
    said = [caption for _, of_one in told for caption in of_one]

    assert all(re.fullmatch(r"[a-z']+( [a-z']+)*", caption.text) for caption in said)
    assert any(caption.spoken.endswith("?") for caption in said)
    assert any(", " in caption.spoken for caption in said)


def test_articles_and_numbers_agree(told: list[tuple[Scene, list[Caption]]]) -> None:
    text = "\n".join(caption.text for _, said in told for caption in said)

    assert not re.search(r"\ba [aeio]", text)
    assert not re.search(r"\ban [^aeiou]", text)
    assert re.search(r"\ba unicorn", text)
    assert re.search(r"\ban umbrella", text)
    adjectives = "((big|large|small|little|sleeping|red|orange|yellow|green|blue|purple|pink|brown) )*"
    assert not re.search(rf"\b(two|three|four|couple of) {adjectives}(dog|cat|frog|apple|unicorn|umbrella)\b", text)
    assert re.search(r"\btwo (\w+ )*pairs of glasses", text)
    assert not re.search(r"there is (two|three|four)\b", text)


def test_requests_questions_statements_and_lists_all_occur(told: list[tuple[Scene, list[Caption]]]) -> None:
    texts = {caption.text for _, said in told for caption in said}

    for start in ("show me", "where is the", "there is", "there are", "find", "i am looking for", "a picture of", "do"):
        assert any(text.startswith(start) for text in texts), start
    assert any(re.search(r"^a \w+ (a|an|the) \w+ and", text) for text in texts)
    assert any("between" in text for text in texts)


def place_of(name: str, picture: Image.Image) -> tuple[float, float]:
    """Where most pixels are that have the thing's colour."""
    distance = np.linalg.norm(np.asarray(picture, np.float32) - COLOUR_OF[name], axis=2)
    rows, columns = np.nonzero(distance < 12)
    return float(np.median(columns)), float(np.median(rows))


def unpainted_pairs(told: list[tuple[Scene, list[Caption]]]) -> Iterator[tuple[Scene, Caption]]:
    for scene, said in told:
        if all(group.count == 1 and not group.paint for group in scene.groups):
            yield from ((scene, caption) for caption in said)


def test_relations_are_those_of_the_pixels(drawn: Catalogue, told: list[tuple[Scene, list[Caption]]]) -> None:
    painter, checked = Painter(drawn), set[str]()
    for scene, caption in unpainted_pairs(told):
        if not (found := RELATED.search(caption.text)):
            continue
        one, how, other = found.groups()
        picture = painter.picture(scene)
        (x1, y1), (x2, y2) = (place_of(USUAL.get(name, name), picture) for name in (one, other))
        if "left" in how:
            assert x1 < x2, caption
        elif "right" in how:
            assert x1 > x2, caption
        elif how in ("above", "over"):
            assert y1 < y2, caption
        elif how in ("next to", "beside"):
            assert abs(x1 - x2) > abs(y1 - y2), caption
        else:
            assert y1 > y2, caption
        checked.add(how)

    assert {"left of", "to the right of", "above", "over", "below", "under", "next to", "beside"} <= checked


def test_the_colour_behind_is_that_of_the_pixels(drawn: Catalogue, told: list[tuple[Scene, list[Caption]]]) -> None:
    painter, checked = Painter(drawn), set[str]()
    for scene, said in told:
        for caption in said:
            if found := re.search(BEHIND, caption.text):
                corner = np.asarray(painter.picture(scene), np.float32)[0, 0]
                nearest = min(COLOURS, key=lambda name: float(np.linalg.norm(corner - COLOURS[name])))
                assert found[1] == nearest, caption
                checked.add(nearest)

    assert len(checked) > 8


def test_counts_and_colours_are_those_of_the_scene(told: list[tuple[Scene, list[Caption]]]) -> None:
    for scene, said in told:
        painted = {group.paint.name for group in scene.groups if group.paint} | {
            group.thing.colour for group in scene.groups if group.thing.colour and not group.paint
        }
        counts = {group.count for group in scene.groups}
        for caption in said:
            words = ABOUT_THE_BACKDROP.sub("", f" {caption.text}").split()
            assert {word for word in words if word in PAINTS} <= painted, caption
            for number, word in {2: "two", 3: "three", 4: "four"}.items():
                assert word not in words or number in counts, caption
            assert "sleeping" not in words or any(group.asleep for group in scene.groups), caption
