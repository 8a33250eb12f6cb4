"""Commands that other packages bring."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
import typer

from app.cli import joined
from app.settings import Settings
from tests.app.cli_runner import Speechclip, make_speechclip
from tests.fake_encoder import FakeEncoder

singers = typer.Typer()


@singers.callback()
def _singers() -> None:
    """A group."""


@singers.command()
def sing(loud: bool = False) -> None:
    """Sing a song."""
    typer.echo("LA" if loud else "la")


@singers.command()
def serve() -> None:
    """In the place of a command of the program."""
    raise AssertionError


choir = typer.Typer()
singers.add_typer(choir, name="choir")


@choir.command()
def meet() -> None:
    """On Tuesdays."""
    typer.echo("choir")


not_a_typer = object()


@pytest.fixture
def speechclip(settings: Settings, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch) -> Speechclip:
    return make_speechclip(settings.data, encoder, monkeypatch)


def install(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    """As if packages with these entry points were there."""
    entries = [EntryPoint(name, value, joined.GROUP) for name, value in values.items()]
    monkeypatch.setattr(joined, "entry_points", lambda group: [entry for entry in entries if entry.group == group])


def test_a_command_of_another_package_is_one_of_the_program(
    speechclip: Speechclip, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, songs=f"{__name__}:singers")

    assert speechclip.run("sing", "--loud").stdout == "LA\n"
    assert speechclip.run("choir", "meet").stdout == "choir\n"
    listed = speechclip.run("--help").stdout
    assert "Sing a song." in listed
    assert "Usage: speechclip sing" in speechclip.run("sing", "--help").stdout


def test_the_programs_own_commands_go_first(speechclip: Speechclip, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, songs=f"{__name__}:singers")

    listed = speechclip.run("--help").stdout
    assert "In the place of" not in listed
    assert listed.count("\n  serve ") == 1


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("not_there.songs:app", "the commands of songs cannot be loaded (No module named 'not_there')"),
        ("not_there.songs:app [train]", "install speechclip-search with its extra `train`"),
        (f"{__name__}:not_a_typer", "is no typer.Typer"),
        (f"{__name__}:nothing", "has no attribute 'nothing'"),
    ],
)
def test_what_cannot_be_loaded_is_told_when_it_may_be_meant(
    speechclip: Speechclip, monkeypatch: pytest.MonkeyPatch, value: str, told: str
) -> None:
    install(monkeypatch, songs=value)

    sentence = speechclip.refused("sing")

    assert sentence.startswith("there is no command 'sing'; ")
    assert told in sentence


def test_what_cannot_be_loaded_harms_nobody_else(speechclip: Speechclip, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, songs="not_there.songs:app", more=f"{__name__}:singers")

    assert speechclip.run("sing").stdout == "la\n"
    assert speechclip.run("--help").exit_code == 0
    assert speechclip.json("collections", "list")["collections"]


def test_nothing_is_loaded_for_the_programs_own_commands(
    speechclip: Speechclip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(group: str) -> list[EntryPoint]:
        raise AssertionError(group)

    monkeypatch.setattr(joined, "entry_points", refuse)

    assert speechclip.run("collections", "list").exit_code == 0


def test_a_command_that_nobody_has_is_wrong_usage(speechclip: Speechclip, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, songs=f"{__name__}:singers")

    assert "No such command 'dance'" in speechclip.refused("dance", status=2)
