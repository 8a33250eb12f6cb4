"""Keywords over the waveform they were heard in."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from models.branches.keywords import KeywordSlot, Subword
from tests.fake_encoder import tone
from tests.training.evaluation.spoken_words import pair
from training.datasets import Pair
from training.evaluation.files import read_audio
from training.evaluation.heard import Utterance, some
from training.evaluation.keyword_pictures import LEFT, RIGHT, WIDTH, keyword_pictures

HOSTILE = "<script>alert(1)</script>\x00\x1b[31m"
SVG = "{http://www.w3.org/2000/svg}"


def slot(number: int, start: float, end: float, *pieces: str, frames: int = 25) -> KeywordSlot:
    attention = np.linspace(0, 1, frames, dtype=np.float32)
    words = [Subword(n, piece, 0.5 - 0.1 * n) for n, piece in enumerate(pieces)]
    return KeywordSlot(number, start, end, words, np.zeros(4, np.float32), attention, 0.04)


def utterance(seconds: float = 1.0, *slots: KeywordSlot) -> Utterance:
    return Utterance(tone("dog", seconds).astype(np.float32), slots)


def drawn(*heard: tuple[str, Utterance]) -> ElementTree.Element:
    return ElementTree.fromstring(keyword_pictures(heard))  # noqa: S314  what was made here


def test_a_span_lies_over_the_waveform_where_it_was_heard() -> None:
    picture = drawn(("a dog", utterance(1.0, slot(0, 0.0, 0.5, "dog</w>"), slot(1, 0.5, 1.0, "ca", "cat</w>"))))

    spans = [(float(span.attrib["x"]), float(span.attrib["width"])) for span in picture.iter(f"{SVG}rect")]
    half = (WIDTH - LEFT - RIGHT) / 2
    assert spans == [(LEFT, half), (LEFT + half, half)]
    texts = [text.text for text in picture.iter(f"{SVG}text")]
    assert texts[0] == "a dog"
    assert "dog 0.50" in texts
    assert "ca- 0.50" in texts
    titles = [title.text for title in picture.iter(f"{SVG}title")]
    assert titles == ["1: dog 0.50; 0.00 to 0.50 s", "2: ca- 0.50, cat 0.40; 0.50 to 1.00 s"]


def test_utterances_are_one_below_the_other() -> None:
    one = keyword_pictures([("a", utterance(0.5, slot(0, 0, 0.4, "a</w>")))])
    both = drawn(("a", utterance(0.5, slot(0, 0, 0.4, "a</w>"))), ("b", utterance(3.0)))

    tops = [float(group.attrib["transform"].split()[1][:-1]) for group in both.findall(f"{SVG}g")]
    assert tops == [0, float(ElementTree.fromstring(one).attrib["height"])]  # noqa: S314  what was made here
    assert float(both.attrib["height"]) > tops[1]


def test_nothing_that_is_said_is_markup() -> None:
    told = keyword_pictures([(HOSTILE, utterance(1.0, slot(0, 0, 1, HOSTILE)))])

    assert "<script" not in told
    assert not {"\x00", "\x1b"} & set(told)
    ElementTree.fromstring(told)  # noqa: S314  what was made here


@pytest.mark.parametrize(("seconds", "frames"), [(0.1, 1), (0.1, 3), (600.0, 15_000)])
def test_utterances_may_be_very_short_and_very_long(seconds: float, frames: int) -> None:
    heard = utterance(seconds, slot(0, 0.0, seconds + 0.03, "a</w>", frames=frames))
    picture = drawn(("x" * 5_000, heard))

    (span,) = picture.iter(f"{SVG}rect")
    assert float(span.attrib["x"]) + float(span.attrib["width"]) <= WIDTH - RIGHT
    told = keyword_pictures([("x" * 5_000, heard)])
    assert "nan" not in told
    assert len(told) < 20_000


def test_silence_and_nothing_attended_to_are_flat() -> None:
    silent = Utterance(np.zeros(8_000, np.float32), [slot(0, 0, 0.1, "a</w>", frames=1)])

    assert "nan" not in keyword_pictures([("", silent)])


def test_nothing_heard_is_a_picture_of_nothing() -> None:
    assert drawn().attrib["height"] == "0"


def test_some_are_from_all_over_a_data_set_and_none_that_is_gone() -> None:
    pairs: list[Pair] = [pair(number, "dog", text=None if number else "a dog") for number in range(10)]
    files = list[bytes]()

    def listen(file: bytes) -> Utterance:
        files.append(file)
        return Utterance(read_audio(file if len(files) != 2 else b"broken"), [])

    found = list(some(pairs, listen, most=4))

    assert [said for said, _ in found] == ["a dog", "4", "6"]
    assert len(files) == 4
    assert list(some([], listen)) == []
