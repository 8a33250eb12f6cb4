"""Schemathesis makes requests of what `/openapi.json` says, and judges the answers by it, with all its checks."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from scripts.openapi import FILE
from tests.fuzz.service import Service
from tests.patience import WAIT_S

# It knows those types by the patterns of the description alone.
schemathesis.serializer.alias(["audio/*", "image/*", "application/x-tar"], "application/octet-stream")
# Every value at its limits is three thousand requests more: docs/security.md has the command for that.
config = SchemathesisConfig.from_dict({"request-timeout": WAIT_S, "phases": {"coverage": {"enabled": False}}})
schema = schemathesis.openapi.from_path(FILE, config=config)


@schema.parametrize()
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_service_is_as_it_says(service: Service, case: Case[Any]) -> None:
    # A schema can neither say that bytes are to be a sound, nor that a parameter is given in one place alone: what fits
    # it may be refused, with a status that is described.
    case.call_and_validate(base_url=service.url, excluded_checks=[positive_data_acceptance])
