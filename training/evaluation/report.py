"""A report for people: tables, recall curves, keywords and what was confused, as Markdown and as one page of HTML."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from training.evaluation.blocks import Block, Heading, Line, Table, to_html, to_markdown
from training.evaluation.confusions import Confusion, confusions
from training.evaluation.curves import Curve, recall_curves
from training.evaluation.evaluation import Evaluation
from training.evaluation.heard import some
from training.evaluation.keyword_pictures import keyword_pictures
from training.evaluation.tables import tables

MARKDOWN, PAGE, FIGURE, KEYWORDS = "report.md", "report.html", "recall.svg", "keywords.svg"
ABOUT_KEYWORDS: list[Block] = [
    Heading("When keywords were heard", 3),
    Line(
        "Of some utterances: the waveform, and for every slot the sub-word it is nearest to, with the cosine, and its "
        "attention over time. Over the waveform is the span that the service tells. A hyphen: the word goes on."
    ),
]
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
td, th { border-bottom: 1px solid #8884; padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; }
svg { max-width: 100%; height: auto; }
"""


def write_report(evaluation: Evaluation, folder: Path) -> Path:
    """The folder gets report.md with its figures, and report.html, which needs none of them. Returns the page."""
    told, confused = tables(evaluation), _confused(confusions(evaluation.embedded))
    curves = _Figure(FIGURE, "How often the right answer is among the nearest k", recall_curves(_curves(evaluation)))
    parts: list[list[Block] | _Figure] = [told, curves, *_keywords(evaluation), confused]
    folder.mkdir(parents=True, exist_ok=True)
    for figure in parts:
        if isinstance(figure, _Figure):
            write_text(folder / figure.file, figure.drawing)
    write_text(folder / MARKDOWN, "\n".join(_in_markdown(part) for part in parts))
    title = escape(f"{evaluation.model} on {evaluation.dataset.name}, {evaluation.dataset.split}")
    body = "\n".join(part.drawing if isinstance(part, _Figure) else to_html(part) for part in parts)
    write_text(folder / PAGE, _page(title, body))
    return folder / PAGE


@dataclass(frozen=True)
class _Figure:
    """drawing: SVG."""

    file: str
    about: str
    drawing: str


def _in_markdown(part: list[Block] | _Figure) -> str:
    return f"![{part.about}]({part.file})\n" if isinstance(part, _Figure) else to_markdown(part)


def _keywords(evaluation: Evaluation) -> list[list[Block] | _Figure]:
    """Nothing for models without slots."""
    if evaluation.listen is None:
        return []
    heard = list(some(evaluation.embedded.pairs, evaluation.listen))
    return [ABOUT_KEYWORDS, _Figure(KEYWORDS, "Keywords over the waveform", keyword_pictures(heard))]


def write_text(path: Path, text: str) -> None:
    """Whole, or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8", errors="replace")
    part.replace(path)


def _curves(evaluation: Evaluation) -> list[Curve]:
    exchanges = (evaluation.images, *(one for one in evaluation.texts if one.there.answers == "image"))
    tasks = [task for exchange in exchanges for task in (exchange.there, exchange.back)]
    return [Curve(f"{task.query} → {task.target}", task.ranks.by_position) for task in tasks]


def _confused(wrong: Sequence[Confusion]) -> list[Block]:
    if not wrong:
        return [Line("Every utterance found its image.")]
    rows = [(one.said, one.found, str(one.times), f"{one.margin:.3f}") for one in wrong]
    return [
        Heading("What was said, and what was found", 3),
        Line("Utterances whose nearest image is not theirs, the most frequent first, then the surest."),
        Table(("said", "found", "times", "nearer by"), rows),
    ]


def _page(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n'
    )
