"""API keys: only their hashes are kept, and a key is looked up in constant time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from limits import RateLimitItem, parse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from app.access.errors import InvalidKeys

Scope = Literal["search", "write", "admin"]

PREFIX = "scs_"
SECRET_BYTES = 32  # so many that a plain hash cannot be searched through


def _rate(text: str) -> str:
    parse(text)  # raises ValueError
    return text


class KeyRule(BaseModel):
    """What an operator writes down for one key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] = Field(description="Of the key, hex.")
    scopes: frozenset[Scope] = Field(min_length=1, description="What it may be used for.")
    rate: Annotated[str, AfterValidator(_rate)] | None = Field(None, description="Most requests, as in '20/second'.")


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Rules = dict[Name, KeyRule]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    keys: Rules = Field(default_factory=dict)


@dataclass(frozen=True)
class ApiKey:
    """A key that was recognised."""

    name: str
    scopes: frozenset[Scope]
    rate: RateLimitItem | None


class ApiKeys:
    """All keys of a service; none at all means that everybody may do everything."""

    def __init__(self, rules: Mapping[str, KeyRule]) -> None:
        self._keys = [
            (rule.sha256, ApiKey(name, rule.scopes, parse(rule.rate) if rule.rate else None))
            for name, rule in rules.items()
        ]

    def __bool__(self) -> bool:
        return bool(self._keys)

    def find(self, secret: str) -> ApiKey | None:
        """The key that this is, compared with every one there is, so that time tells nothing."""
        given, found = digest(secret), None
        for stored, key in self._keys:
            if hmac.compare_digest(given, stored):
                found = key
        return found


def digest(secret: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def new_secret() -> str:
    """A key to hand out; it cannot be read back from what is kept of it."""
    return PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def read_keys(file: Path | None, rules: Mapping[str, KeyRule]) -> ApiKeys:
    """The keys of a TOML file (`[keys.NAME]` with sha256, scopes, rate) and those given beside it.

    Raises `InvalidKeys`: a service that was meant to be locked does not start open.
    """
    listed = {} if file is None else read_rules(file)
    if twice := sorted(listed.keys() & rules.keys()):
        raise InvalidKeys(f"the key {twice[0]!r} is in {file} and in the environment")
    return ApiKeys({**listed, **rules})


def read_rules(file: Path) -> Rules:
    """The keys of a file, at least one. Raises `InvalidKeys`."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        rules = TypeAdapter(_File).validate_python(content).keys
    except OSError as error:
        raise InvalidKeys(f"the file of API keys {file} cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidKeys(f"the file of API keys {file}: {where}: {first['msg']}") from None
    except ValueError as error:
        raise InvalidKeys(f"the file of API keys {file} is not TOML: {error}") from error
    if not rules:
        raise InvalidKeys(f"the file of API keys {file} has no key in it")
    return rules
