"""What a benchmark found, as Markdown for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.machine import machine
from bench.measure import Spread


@dataclass(frozen=True)
class Section:
    """A table. Every row has its values by the name of the column; a `Spread` is written with its quartiles."""

    title: str
    rows: Sequence[Mapping[str, Any]]


@dataclass
class Report:
    """name: of the benchmark; settings: what it was asked for, the seed among it."""

    name: str
    settings: Mapping[str, Any]
    sections: list[Section] = field(default_factory=list)
    machine: Mapping[str, str] = field(default_factory=machine)

    def add(self, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self.sections.append(Section(title, rows))

    def to_markdown(self) -> str:
        facts = [f"- {name}: {value}" for name, value in {**self.settings, **self.machine}.items()]
        parts = [f"# {self.name}", "\n".join(facts)]
        for section in self.sections:
            parts += [f"## {section.title}", table(section.rows)]
        return "\n\n".join(parts) + "\n"

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, default=str) + "\n"

    def write(self, path: Path) -> None:
        """The JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.to_json(), encoding="utf-8")


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """In Markdown; a column for every name that any row has, in the order in which they come."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, ["---"] * len(names), *([_cell(row.get(name)) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    if isinstance(value, Spread) and value.median >= 100:
        return f"{value.median:.0f} ({value.low:.0f} to {value.high:.0f})"
    return str(value)
