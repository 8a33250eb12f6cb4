"""`speechclip keys`."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.access.keys import read_keys
from tests.app.cli_runner import Speechclip
from tests.fake_encoder import FakeEncoder


@pytest.fixture
def speechclip(tmp_path: Path) -> Speechclip:
    return Speechclip(tmp_path / "data", FakeEncoder())


def test_a_new_key_is_printed_once_and_the_file_keeps_its_hash(speechclip: Speechclip, tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    first = speechclip.run("keys", "new", "website", "--scope", "search", "--rate", "20/second", "--file", file)
    second = speechclip.run("keys", "new", "robot", "--scope", "write", "--scope", "admin", "--file", file)
    assert (first.exit_code, second.exit_code) == (0, 0)
    keys = read_keys(file, {})
    website, robot = keys.find(first.stdout.strip()), keys.find(second.stdout.strip())
    assert website is not None
    assert robot is not None
    assert (website.name, website.scopes, str(website.rate)) == ("website", frozenset({"search"}), "20 per 1 second")
    assert (robot.name, robot.scopes) == ("robot", frozenset({"write", "admin"}))
    assert first.stdout.strip() not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


def test_the_file_stays_whose_it_is_and_a_link_stays_a_link(speechclip: Speechclip, tmp_path: Path) -> None:
    file, link = tmp_path / "secret" / "keys.toml", tmp_path / "keys.toml"
    file.parent.mkdir()
    speechclip.run("keys", "new", "website", "--scope", "search", "--file", file)
    file.chmod(0o640)
    link.symlink_to(file)

    assert speechclip.run("keys", "new", "robot", "--scope", "write", "--file", link).exit_code == 0

    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert "robot" in file.read_text()
    assert [path.name for path in file.parent.iterdir()] == ["keys.toml"]


def test_without_a_file_it_says_what_to_write_down(speechclip: Speechclip, tmp_path: Path) -> None:
    told = speechclip.run("keys", "new", "website", "--scope", "search")
    file = tmp_path / "keys.toml"
    file.write_text(told.stderr[told.stderr.index("[keys.") : told.stderr.index("The key itself")])
    assert read_keys(file, {}).find(told.stdout.strip()) is not None


def test_a_name_that_is_taken_leaves_the_file_as_it_was(speechclip: Speechclip, tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    speechclip.run("keys", "new", "website", "--scope", "search", "--file", file)
    before = file.read_text()
    told = speechclip.run("keys", "new", "website", "--scope", "admin", "--file", file)
    assert told.exit_code == 1
    assert "already" in told.stderr
    assert file.read_text() == before


def test_what_cannot_be_is_refused(speechclip: Speechclip, tmp_path: Path) -> None:
    assert "no name" in speechclip.run("keys", "new", "web site", "--scope", "search").stderr
    assert "no rate" in speechclip.run("keys", "new", "website", "--scope", "search", "--rate", "often").stderr
    assert "a scope is" in speechclip.run("keys", "new", "website", "--scope", "everything").stderr
    nowhere = speechclip.run("keys", "new", "website", "--scope", "search", "--file", tmp_path / "none" / "keys.toml")
    assert "cannot be written" in nowhere.stderr
    broken = tmp_path / "broken.toml"
    broken.write_text("not toml")
    assert "not TOML" in speechclip.run("keys", "new", "website", "--scope", "search", "--file", broken).stderr
    assert broken.read_text() == "not toml"
