"""What watches the service: every question is about numbers that it has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.metrics import Metrics

MONITORING = Path(__file__).resolve().parents[2] / "docker" / "monitoring"
METRIC = re.compile(r"\b(?:speechclip|process)_[a-z_]+")
"""A name in an expression."""


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression with what it is for."""
    for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    for panel in dashboard()["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def dashboard() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((MONITORING / "grafana/dashboards/speechclip.json").read_text())
    return content


def types() -> list[tuple[str, str]]:
    """Every metric with its kind."""
    return re.findall(r"^# TYPE (\S+) (\S+)", Metrics().render().decode(), re.MULTILINE)


def served() -> set[str]:
    found = types()
    histograms = [name for name, kind in found if kind == "histogram"]
    return {name for name, _ in found} | {
        f"{name}_{part}" for name in histograms for part in ("bucket", "sum", "count")
    }


@pytest.mark.parametrize(("purpose", "expression"), list(expressions()))
def test_every_metric_that_is_asked_for_is_served(purpose: str, expression: str) -> None:
    assert set(METRIC.findall(expression)) <= served(), purpose


def test_every_alert_says_what_happened_and_what_to_do() -> None:
    for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            assert {"summary", "action"} == rule["annotations"].keys(), rule["alert"]
            assert rule["labels"]["severity"] in {"page", "ticket"}


def test_the_dashboard_reads_from_the_source_that_is_provisioned() -> None:
    source = yaml.safe_load((MONITORING / "grafana/provisioning/datasources/prometheus.yml").read_text())
    assert {panel["datasource"]["uid"] for panel in dashboard()["panels"]} == {source["datasources"][0]["uid"]}


def test_no_panel_lies_on_another() -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in dashboard()["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    ids = [panel["id"] for panel in dashboard()["panels"]]

    assert len(cells) == len(set(cells))
    assert len(ids) == len(set(ids))


def test_whatever_the_service_counts_can_be_seen() -> None:
    shown = {name for _, expression in expressions() for name in METRIC.findall(expression)}
    families = {re.sub("_(bucket|sum|count)$", "", name) for name in shown}

    ours = {name for name, kind in types() if name.startswith("speechclip_") and not name.endswith("_created")}
    assert ours - families - {"speechclip_running"} == set()
