"""Tables, curves and confusions, whatever people say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.fake_encoder import FakeEncoder
from tests.tiny_model import save_tiny_model
from tests.training.evaluation.spoken_words import dataset, fake_embedder, pair
from training.datasets import Pair
from training.evaluation.blocks import Block, Heading, Items, Line, Table, to_html, to_markdown
from training.evaluation.confusions import Confusion, confusions
from training.evaluation.curves import Curve, recall_curves
from training.evaluation.embedding import Embedded, embed
from training.evaluation.evaluation import Evaluation
from training.evaluation.figures import speech_and_images, speech_and_texts
from training.evaluation.local import LocalModel
from training.evaluation.published import Published
from training.evaluation.report import write_report
from training.evaluation.tables import tables

HOSTILE = "<script>alert(1)</script> | `x` [a](javascript:b)\n# \x1b[31m"


def embedded(pairs: Sequence[Pair], work: Path) -> Embedded:
    return embed(dataset(pairs), fake_embedder(FakeEncoder()), work, 4, lambda step, done, total: None)


def evaluation(pairs: Sequence[Pair], work: Path, published: Published | None = None) -> Evaluation:
    found = embedded(pairs, work)
    return Evaluation(
        "manifest",
        dataset(pairs),
        True,
        "fake",
        "f" * 64,
        "parallel",
        "service",
        found,
        speech_and_images(found),
        speech_and_texts(found),
        None,
        published,
    )


def test_blocks_are_markdown_and_html() -> None:
    blocks: list[Block] = [Heading("Title", 2), Line("A line."), Items(["one", "two"]), Table(("a", "b"), [("1", "2")])]

    assert to_markdown(blocks) == "## Title\n\nA line.\n\n- one\n- two\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n"
    assert to_html(blocks) == (
        "<h2>Title</h2>\n<p>A line.</p>\n<ul><li>one</li><li>two</li></ul>\n"
        "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"
    )


def test_nothing_that_is_said_is_markup() -> None:
    for block in (Heading(HOSTILE, 1), Line(HOSTILE), Items([HOSTILE]), Table((HOSTILE,), [(HOSTILE,)])):
        assert "<script" not in to_html([block])
        plain = to_markdown([block])
        assert "\x1b" not in plain
        for mark in ("<", "`", "["):
            assert not re.search(rf"(?<!\\){re.escape(mark)}", plain)


def test_what_was_confused_comes_by_how_often_and_then_by_how_much(tmp_path: Path) -> None:
    pairs = [
        pair(0, "dog", text="a dog"),
        replace(pair(1, "cat", text="a dog"), image_id=0, image=pair(0, "dog").image),
        replace(pair(2, "cat", text="a dog"), image_id=0, image=pair(0, "dog").image),
        replace(pair(3, "cat", text="the dog"), image_id=0, image=pair(0, "dog").image),
        pair(4, "cat", text="a cat"),
        replace(pair(5, "dog"), image_id=9, image=pair(0, "apple").image),
    ]
    found = embedded(pairs, tmp_path)

    listed = confusions(found)

    assert [(one.said, one.found, one.times) for one in listed] == [
        ("a dog", "a cat", 2),
        *sorted([("the dog", "a cat", 1), ("5", "a dog", 1)], key=lambda one: -_margin(listed, one[0])),
    ]
    assert all(one.margin > 0 for one in listed)
    assert confusions(found, most=1) == listed[:1]


def _margin(listed: Sequence[Confusion], said: str) -> float:
    return next(one.margin for one in listed if one.said == said)


def test_curves_rise_to_the_right_answers() -> None:
    drawn = recall_curves([Curve("speech → image", np.array([1, 2, 60])), Curve("<b>", np.array([1]))], most_k=50)

    root = ElementTree.fromstring(drawn)  # noqa: S314  what was made two lines above
    lines = [node.attrib["points"].split() for node in root.iter() if node.tag.endswith("polyline")]
    assert [len(points) for points in lines] == [50, 50]
    heights = [float(point.split(",")[1]) for point in lines[0]]
    assert heights[0] > heights[1] == heights[49]  # a third, then two thirds; y grows downwards
    assert "<b>" not in drawn


def test_a_report_is_a_page_of_its_own(tmp_path: Path) -> None:
    pairs = [pair(0, "dog", text=HOSTILE), pair(1, "cat", text="a cat"), replace(pair(2, "cat"), image_id=0)]

    page = write_report(evaluation(pairs, tmp_path / "work"), tmp_path / "deep" / "report")

    html = page.read_text()
    assert sorted(path.name for path in page.parent.iterdir()) == ["recall.svg", "report.html", "report.md"]
    assert "<svg" in html
    assert "<script" not in html
    assert not re.search(r"(src|href)=", html)
    told = (page.parent / "report.md").read_text()
    assert "](recall.svg)" in told
    assert "What was said, and what was found" in told
    assert len(html) < 20_000


def test_a_report_of_a_model_with_slots_shows_when_they_heard_what(tmp_path: Path) -> None:
    model = LocalModel.find(str(save_tiny_model(tmp_path / "tiny", branch="hybrid+")), tmp_path)
    pairs = [pair(0, "dog", text="a <dog>"), pair(1, "cat")]

    page = write_report(replace(evaluation(pairs, tmp_path / "work"), listen=model.listen), tmp_path / "report")

    drawn = (page.parent / "keywords.svg").read_text()
    assert "a &lt;dog&gt;" in drawn
    assert drawn in page.read_text()
    assert "](keywords.svg)" in (page.parent / "report.md").read_text()
    assert drawn.count("<rect") == sum(len(model.listen(one.audio.read()).slots) for one in pairs) > 0


def test_a_report_without_mistakes_says_so(tmp_path: Path) -> None:
    page = write_report(evaluation([pair(0, "dog"), pair(1, "cat")], tmp_path / "work"), tmp_path / "report")

    assert "Every utterance found its image." in page.read_text()


@pytest.mark.parametrize("comparable", [True, False])
def test_the_published_figure_stands_beside_ours(tmp_path: Path, comparable: bool) -> None:
    published = Published("m", 10, 89.0, "file name", "Flickr8k", comparable)

    told = to_markdown(tables(evaluation([pair(0, "dog"), pair(1, "cat")], tmp_path, published)))

    assert "| published mean, Flickr8k, validation |  |  |  |  | 89.00 |" in told
    assert ("Flickr8k: not the data that is evaluated here" in told) is not comparable


def test_figures_come_with_their_intervals(tmp_path: Path) -> None:
    told = to_markdown(tables(evaluation([pair(0, "dog", text="a dog"), pair(1, "cat")], tmp_path)))

    assert "| speech → image | 2 | 2 | 100.00 (100.0 to 100.0) |" in told
    assert "by own caption | 1 | 1 |" in told
    assert "real-time factor" in told
