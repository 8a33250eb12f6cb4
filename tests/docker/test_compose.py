"""docker-compose.yml: about the service, the Dockerfile and the files that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.server import STOP_MARGIN_S, longest_answer_s
from app.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("speechclip", "speechclip-gpu")


@pytest.mark.parametrize("name", OURS)
def test_its_settings_are_those_that_the_service_has(name: str) -> None:
    known = {f"SPEECHCLIP_{field.upper()}" for field in Settings.model_fields}

    assert SERVICES[name]["environment"].keys() <= known


@pytest.mark.parametrize("name", OURS)
def test_it_is_built_from_a_target_of_the_dockerfile(name: str) -> None:
    target = SERVICES[name]["build"]["target"]

    assert re.search(rf"^FROM .* AS {target}$", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE)
    assert SERVICES[name]["image"] == f"speechclip-search:{target}"


@pytest.mark.parametrize("name", OURS)
def test_it_has_no_rights_and_writes_only_where_it_must(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert (service["volumes"], service["tmpfs"]) == (["data:/data"], ["/tmp"])


@pytest.mark.parametrize("name", OURS)
def test_only_this_machine_reaches_it_and_a_stop_waits_for_the_last_answer(name: str) -> None:
    service = SERVICES[name]

    assert service["ports"] == [f"127.0.0.1:{port}:{port}" for port in (Settings.model_fields["port"].default,)]
    settings = Settings()
    longest_s = settings.drain_s + longest_answer_s(settings) + STOP_MARGIN_S
    assert 60 * int(service["stop_grace_period"].removesuffix("m")) > longest_s


@pytest.mark.parametrize("name", OURS)
def test_what_watches_it_finds_it(name: str) -> None:
    (job,) = yaml.safe_load((REPOSITORY / "docker/monitoring/prometheus.yml").read_text())["scrape_configs"]
    host, port = job["static_configs"][0]["targets"][0].split(":")

    assert host in {name, *SERVICES[name].get("networks", {}).get("default", {}).get("aliases", [])}
    assert int(port) == Settings.model_fields["port"].default


def test_without_a_profile_it_is_the_service_alone() -> None:
    profiles = {name: service.get("profiles", []) for name, service in SERVICES.items()}

    assert [name for name, wanted in profiles.items() if not wanted] == ["speechclip"]
    assert {one for wanted in profiles.values() for one in wanted} == {"gpu", "milvus", "monitoring"}


@pytest.mark.parametrize("name", SERVICES)
def test_what_it_mounts_is_there(name: str) -> None:
    for source, target, *_ in (volume.split(":") for volume in SERVICES[name].get("volumes", [])):
        assert target.startswith("/")
        assert (REPOSITORY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
