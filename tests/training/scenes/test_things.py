"""The table of things, and what of it can be drawn."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.training.scenes.scene_packages import open_catalogue
from training.errors import NotReady
from training.nano.drawings import HELD_OUT, TRAINING
from training.nano.lexicon import Lexicon
from training.scenes.colours import COLOURS
from training.scenes.nouns import with_article
from training.scenes.things import Catalogue, catalogue, read_things


def test_every_row_of_the_table_makes_sense() -> None:
    things = read_things()

    assert len(things) > 450
    for thing in things:
        assert thing.names
        assert thing.drawings
        assert thing.colour is None or thing.colour in COLOURS, thing
        assert set(thing.not_by) <= {*TRAINING, HELD_OUT}, thing
        for name in thing.names:
            assert re.fullmatch(r"[a-z ]+", f"{name.singular} {name.plural}"), name


def test_no_two_rows_are_the_same_to_a_listener() -> None:
    things = read_things()
    said = [(thing.name, thing.colour) for thing in things]

    assert len(set(said)) == len(said)


def test_words_whose_first_letter_misleads_are_known() -> None:
    """Whoever adds a thing that starts with a vowel or an h reads these articles once."""
    names = {name.singular for thing in read_things() for name in thing.names}
    odd = {with_article(name) for name in names if re.match("u|h|eu|one", name)}

    assert {phrase for phrase in odd if phrase[:3] == "an "} == {"an umbrella", "an hourglass"}
    assert {phrase for phrase in odd if phrase[:3] == "a u"} == {"a unicorn"}


def test_a_catalogue_has_what_the_vendors_drew(packages: Path) -> None:
    drawn = open_catalogue(packages, "noto", HELD_OUT)
    dog = next(thing for thing in drawn.things if thing.name == "dog")

    assert set(drawn.names) == {"dog", "cat", "frog", "apple", "unicorn", "moon", "umbrella", "pair of glasses"}
    assert drawn.vendors[dog] == ["noto", HELD_OUT]
    assert drawn.shown["noto"][dog] == ["1f415"]
    assert drawn.asleep == "1f4a4"


def test_drawings_that_show_something_else_are_left_out(drawn: Catalogue) -> None:
    book = next(thing for thing in read_things() if thing.drawings == ("closed book",))

    assert book.not_by == ("noto-v1",)
    assert book not in drawn.things


def test_too_few_things_are_told() -> None:
    with pytest.raises(NotReady, match="drawings of 0 things"):
        catalogue(Lexicon([]), {"noto": {}})
