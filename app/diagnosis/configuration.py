"""Settings that are unknown, or that contradict each other."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from pydantic import ValidationError

from app.access.errors import InvalidKeys
from app.access.keys import read_keys
from app.diagnosis.findings import Finding, failed, ok, warned
from app.settings import Settings

PREFIX = "SPEECHCLIP_"


KEY_OF_A_CALLER = f"{PREFIX}API_KEY"
"""No setting: `speechclip evaluate --url` sends it to another service."""


def check_variables(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Every variable with the prefix is a setting. Values are not told: one may be a key."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {KEY_OF_A_CALLER}
    given = sorted(name for name in environ if name.upper().startswith(PREFIX))
    unknown = [name for name in given if name.upper() not in known]
    for name in unknown:
        near = get_close_matches(name.upper(), known, 1)
        yield warned("settings", f"{name} is no setting", f"did you mean {near[0]}?" if near else "see docs/api.md")
    if not unknown:
        yield ok("settings", f"from the environment: {', '.join(given) or 'none'}")


def refused_settings(error: ValidationError) -> list[Finding]:
    """Values that the service would not start with."""
    findings = []
    for one in error.errors(include_input=False):
        name = "_".join(str(part) for part in one["loc"]).upper()
        found = one["msg"].removeprefix("Value error, ")
        told = f"{PREFIX}{name}: {found}" if name else found
        findings.append(failed("settings", told, "the service does not start with that"))
    return findings


def check_settings(settings: Settings) -> Iterator[Finding]:
    """What each setting allows alone makes sense together, and strangers are kept out."""
    yield from _contradictions(settings)
    try:
        keys = read_keys(settings.api_keys_file, settings.api_keys)
    except InvalidKeys as error:
        yield failed("keys", str(error), "the service does not start so: repair the file")
        return
    if keys:
        yield ok("keys", "API keys are needed")
    elif _is_loopback(settings.host):
        yield ok("keys", "none are needed, and only this machine may ask")
    else:
        yield warned(
            "keys",
            f"whoever reaches {settings.host} may search and change everything",
            "`speechclip keys new NAME --scope search --file keys.toml`, and SPEECHCLIP_API_KEYS_FILE=keys.toml",
        )


def _contradictions(settings: Settings) -> Iterator[Finding]:
    if settings.admin_port is not None and settings.admin_port == settings.port:
        yield failed("settings", f"SPEECHCLIP_ADMIN_PORT is SPEECHCLIP_PORT, {settings.port}", "give it another port")
    for name in ("max_body_bytes", "max_batch_bytes"):
        if getattr(settings, name) > settings.max_buffered_bytes:
            yield warned(
                "settings",
                f"{PREFIX}{name.upper()} is more than SPEECHCLIP_MAX_BUFFERED_BYTES: such a body is always refused",
                "raise SPEECHCLIP_MAX_BUFFERED_BYTES",
            )
    if settings.batch_size > settings.queue_size:
        yield warned(
            "settings",
            "SPEECHCLIP_BATCH_SIZE is more than SPEECHCLIP_QUEUE_SIZE: no batch is ever so large",
            "raise SPEECHCLIP_QUEUE_SIZE",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
