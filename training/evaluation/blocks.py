"""Headings, lines, lists and tables, written as Markdown or as HTML. Texts in them may be anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

_MARKUP = str.maketrans({char: f"\\{char}" for char in "\\`*_[]<>|#"})


@dataclass(frozen=True)
class Heading:
    text: str
    level: int


@dataclass(frozen=True)
class Line:
    text: str


@dataclass(frozen=True)
class Items:
    texts: Sequence[str]


@dataclass(frozen=True)
class Table:
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]


Block = Heading | Line | Items | Table


def to_markdown(blocks: Sequence[Block]) -> str:
    return "\n\n".join("\n".join(_markdown(block)) for block in blocks) + "\n"


def to_html(blocks: Sequence[Block]) -> str:
    """The inside of a body."""
    return "\n".join(_html(block) for block in blocks)


def _markdown(block: Block) -> Iterator[str]:
    match block:
        case Heading(text, level):
            yield f"{'#' * level} {_plain(text)}"
        case Line(text):
            yield _plain(text)
        case Items(texts):
            yield from (f"- {_plain(text)}" for text in texts)
        case Table(headers, rows):
            for cells in (headers, ["---"] * len(headers), *rows):
                yield f"| {' | '.join(cell if cell == '---' else _plain(cell) for cell in cells)} |"


def _html(block: Block) -> str:
    match block:
        case Heading(text, level):
            return f"<h{level}>{escape(text)}</h{level}>"
        case Line(text):
            return f"<p>{escape(text)}</p>"
        case Items(texts):
            return f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul>"
        case Table(headers, rows):
            lines = [_html_row("th", headers), *(_html_row("td", row) for row in rows)]
            return f"<table>{''.join(lines)}</table>"


def _html_row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _plain(text: str) -> str:
    """On one line, and no markup of its own."""
    return "".join(char if char.isprintable() else " " for char in text).translate(_MARKUP)
