"""API keys: how they are written down and found again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.access.errors import InvalidKeys
from app.access.keys import ApiKeys, KeyRule, digest, new_secret, read_keys

SECRET = "scs_secret"
FILE = f"""
[keys.website]
sha256 = "{digest(SECRET)}"
scopes = ["search"]
rate = "20/second"

[keys."the.robot"]
sha256 = "{digest("other")}"
scopes = ["write", "admin"]
"""


def rule(secret: str) -> KeyRule:
    return KeyRule(sha256=digest(secret), scopes=frozenset({"search"}))


def file(folder: Path, content: str = FILE) -> Path:
    path = folder / "keys.toml"
    path.write_text(content)
    return path


def test_keys_come_from_a_file_and_from_the_environment(tmp_path: Path) -> None:
    keys = read_keys(file(tmp_path), {"spare": rule("third")})
    website, robot, spare = (keys.find(secret) for secret in (SECRET, "other", "third"))
    assert website is not None
    assert robot is not None
    assert spare is not None
    assert (website.name, website.scopes, str(website.rate)) == ("website", frozenset({"search"}), "20 per 1 second")
    assert (robot.name, robot.scopes, robot.rate) == ("the.robot", frozenset({"write", "admin"}), None)
    assert spare.name == "spare"


def test_no_keys_are_false_and_some_are_true(tmp_path: Path) -> None:
    assert not read_keys(None, {})
    assert read_keys(file(tmp_path), {})


@given(st.text())
def test_nothing_but_the_very_key_is_found(secret: str) -> None:
    found = ApiKeys({"website": rule(SECRET)}).find(secret)
    assert (found is not None) == (secret == SECRET)


def test_a_new_secret_is_long_and_never_the_same() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert all(len(secret) >= 43 for secret in secrets)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "no key"),
        ("keys = 3", "keys"),
        ("not toml", "not TOML"),
        ("other = 1", "other"),
        (FILE.replace('"search"', '"everything"'), "website.scopes"),
        (FILE.replace('["search"]', "[]"), "website.scopes"),
        (FILE.replace("20/second", "often"), "website.rate"),
        (FILE.replace(digest(SECRET), SECRET), "website.sha256"),
        (FILE.replace("website", '"web site"'), "web site"),
    ],
)
def test_a_file_that_is_wrong_stops_the_start_with_its_place(tmp_path: Path, content: str, reason: str) -> None:
    with pytest.raises(InvalidKeys, match=reason) as raised:
        read_keys(file(tmp_path, content), {})
    assert SECRET not in str(raised.value)


def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(InvalidKeys, match="cannot be read"):
        read_keys(tmp_path / "none.toml", {})


def test_a_name_in_both_places_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(InvalidKeys, match="website"):
        read_keys(file(tmp_path), {"website": rule("other")})
