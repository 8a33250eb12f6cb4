"""What a benchmark tells."""

from __future__ import annotations

import json
from pathlib import Path

from bench.measure import Spread
from bench.report import Report, table


def test_a_table_has_a_column_for_every_name_of_any_row() -> None:
    rows = [{"": "ours", "CPU ms": Spread(1.234, 1, 2)}, {"": "theirs", "ratio": 1234.5, "peak MiB": None}]

    assert table(rows).splitlines() == [
        "|  | CPU ms | ratio | peak MiB |",
        "| --- | --- | --- | --- |",
        "| ours | 1.23 (1 to 2) |  |  |",
        "| theirs |  | 1234 |  |",
    ]


def test_a_report_says_the_same_to_people_and_to_programs(tmp_path: Path) -> None:
    report = Report("Encode", {"seed": 7}, machine={"cores": "2"})
    report.add("Base", [{"": "ours", "CPU ms": Spread(2, 1, 3)}])

    report.write(tmp_path / "new" / "report.json")

    assert report.to_markdown().startswith("# Encode\n\n- seed: 7\n- cores: 2\n\n## Base\n\n|  | CPU ms |\n")
    assert json.loads((tmp_path / "new" / "report.json").read_text()) == {
        "name": "Encode",
        "settings": {"seed": 7},
        "sections": [{"title": "Base", "rows": [{"": "ours", "CPU ms": {"median": 2, "low": 1, "high": 3}}]}],
        "machine": {"cores": "2"},
    }
