"""The cluster's manifests: valid, and about one and the same service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from app.access.scopes import needed_scope
from app.server import STOP_MARGIN_S, longest_answer_s
from app.settings import Settings
from index.address import MEDIA

FOLDER = Path(__file__).resolve().parents[2] / "docker" / "kubernetes"
VERSION = "1.33"
CLOSE_S = 20
"""For closing the collections and handing over traces."""
RESOURCES: list[str] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())["resources"]


def manifest(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return content


@pytest.mark.parametrize("name", RESOURCES)
def test_every_manifest_is_valid(name: str) -> None:
    kubernetes_validate.validate(manifest(name), VERSION, strict=True)


def test_a_manifest_with_a_misspelt_field_would_not_be() -> None:
    wrong = manifest("service.yaml")
    wrong["spec"]["selektor"] = wrong["spec"].pop("selector")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSION, strict=True)


def test_the_patch_for_a_gpu_leaves_a_valid_deployment() -> None:
    deployment, patch = manifest("deployment.yaml"), manifest("gpu.yaml")
    container, more = (one["spec"]["template"]["spec"]["containers"][0] for one in (deployment, patch))
    assert container["name"] == more["name"]
    container.update(more)
    kubernetes_validate.validate(deployment, VERSION, strict=True)
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 1


def test_all_of_them_mean_the_pods_of_the_deployment() -> None:
    deployment = manifest("deployment.yaml")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert manifest("service.yaml")["spec"]["selector"] == labels
    assert manifest("disruption.yaml")["spec"]["selector"]["matchLabels"] == labels
    assert manifest("autoscaler.yaml")["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]


def test_the_settings_and_ports_are_those_that_the_service_has() -> None:
    container = manifest("deployment.yaml")["spec"]["template"]["spec"]["containers"][0]
    environment = {one["name"]: one["value"] for one in container["env"]}
    known = {f"SPEECHCLIP_{name.upper()}" for name in Settings.model_fields}
    assert environment.keys() <= known
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": 8000, "admin": int(environment["SPEECHCLIP_ADMIN_PORT"])}


def test_probes_ask_what_needs_no_key() -> None:
    container = manifest("deployment.yaml")["spec"]["template"]["spec"]["containers"][0]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert needed_scope("GET", container[probe]["httpGet"]["path"]) is None


def test_who_collects_the_numbers_asks_the_port_that_has_them_and_brings_a_key() -> None:
    template, monitor = manifest("deployment.yaml")["spec"]["template"], manifest("monitor.yaml")["spec"]
    (endpoint,) = monitor["podMetricsEndpoints"]

    assert monitor["selector"]["matchLabels"] == template["metadata"]["labels"]
    assert endpoint["port"] in {port["name"] for port in template["spec"]["containers"][0]["ports"]}
    assert needed_scope("GET", endpoint["path"]) == "admin"
    assert endpoint["authorization"]["credentials"].keys() == {"name", "key"}


def test_a_pod_that_goes_is_known_to_go_and_answers_the_last_request() -> None:
    pod = manifest("deployment.yaml")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    drain_s = next(float(one["value"]) for one in container["env"] if one["name"] == "SPEECHCLIP_DRAIN_S")
    probe = container["readinessProbe"]
    assert drain_s >= probe["failureThreshold"] * probe["periodSeconds"] + probe["timeoutSeconds"]
    assert pod["terminationGracePeriodSeconds"] > drain_s + longest_answer_s(Settings()) + STOP_MARGIN_S + CLOSE_S


def test_a_rolling_update_never_has_less_than_there_were_and_uploads_outlive_a_pod() -> None:
    spec = manifest("deployment.yaml")["spec"]
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    pod = spec["template"]["spec"]
    (mount,) = [one for one in pod["containers"][0]["volumeMounts"] if one["mountPath"] == f"/data/{MEDIA}"]
    (volume,) = [one for one in pod["volumes"] if one["name"] == mount["name"]]
    claim = manifest("media.yaml")
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_the_container_may_write_only_where_it_must() -> None:
    pod = manifest("deployment.yaml")["spec"]["template"]["spec"]
    rights = pod["containers"][0]["securityContext"]
    assert rights["readOnlyRootFilesystem"] is True
    assert rights["allowPrivilegeEscalation"] is False
    assert rights["capabilities"] == {"drop": ["ALL"]}
    assert pod["securityContext"]["runAsNonRoot"] is True
