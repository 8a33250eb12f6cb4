"""What holds for every command: help, version, settings, and errors that are told in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import app.server
from app.cli.commands import MOST_RESULTS
from app.query.requests import MAX_TOP_K
from app.settings import Settings
from app.version import service_version
from tests.app.cli_runner import Speechclip, make_speechclip
from tests.fake_encoder import FakeEncoder
from tests.patience import WAIT_S

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [
    ["serve"],
    ["search"],
    ["keywords"],
    ["index"],
    ["collections"],
    ["collections", "list"],
    ["collections", "info"],
    ["collections", "delete"],
    ["models"],
    ["models", "list"],
    ["models", "info"],
]
HEAVY = ("torch", "faiss", "fastapi", "transformers", "numpy", "pydantic", "rich.console")


@pytest.fixture
def speechclip(settings: Settings, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch) -> Speechclip:
    return make_speechclip(settings.data, encoder, monkeypatch)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings that would have been served with."""
    served: list[Settings] = []
    monkeypatch.setattr(app.server, "serve", lambda settings, on_step: served.append(settings))
    return served


def process(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=WAIT_S, check=True
    )


@pytest.mark.parametrize("command", [[], *COMMANDS])
def test_every_command_has_help(speechclip: Speechclip, command: list[str]) -> None:
    result = speechclip.run(*command, "--help")

    assert (result.exit_code, result.stderr) == (0, "")
    assert " ".join(["Usage: speechclip", *command]) in result.stdout


def test_help_is_quick() -> None:
    best = min(_seconds("from app.cli import main; main()", "--help") for _ in range(3))
    bare = min(_seconds("pass") for _ in range(3))

    # 0.2 s on an idle machine; a busy one slows down both alike.
    assert best < max(0.5, 25 * bare)


def test_nothing_heavy_is_imported_before_a_command_runs() -> None:
    code = f"import sys, app.cli; print([name for name in {HEAVY} if name in sys.modules])"

    assert process(code).stdout == "[]\n"


def test_it_is_a_program(tmp_path: Path) -> None:
    result = process("from app.cli import main; main()", "collections", "list", "--json", "--data", str(tmp_path))

    assert (result.stdout, result.stderr) == ('{\n  "collections": []\n}\n', "")


def test_version(speechclip: Speechclip) -> None:
    assert speechclip.run("--version").stdout == f"speechclip {service_version()}\n"


def test_as_many_results_as_the_service_gives() -> None:
    assert MOST_RESULTS == MAX_TOP_K


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sing"], "No such command 'sing'"),
        (["search"], "query"),
        (["search", "dog", "--top-k", "0"], "greater than or equal to 1"),
        (["search", "dog", "--top-k", "1001"], "less than or equal to 1000"),
        (["search", "dog", "cat"], "unexpected extra argument"),
        (["index", "pets"], "sources"),
        (["index", "pets", "x.txt", "--kind", "films"], "'films'"),
        (["serve", "--port", "65536"], "less than or equal to 65535"),
    ],
)
def test_wrong_usage_is_told_with_status_2(speechclip: Speechclip, arguments: list[str], told: str) -> None:
    assert told.lower() in speechclip.refused(*arguments, status=2).lower()


def test_serve_leaves_settings_to_the_environment(speechclip: Speechclip, served: list[Settings]) -> None:
    result = speechclip.run("serve", SPEECHCLIP_PORT="1234", SPEECHCLIP_MODEL="other")

    assert result.exit_code == 0
    assert [(one.port, one.model, one.host) for one in served] == [(1234, "other", "127.0.0.1")]
    assert served[0].data == speechclip.data


def test_serve_puts_options_before_the_environment(
    speechclip: Speechclip, served: list[Settings], tmp_path: Path
) -> None:
    options = ["--port", 0, "--host", "::1", "--model", "mine", "--data", tmp_path / "here"]
    speechclip.run("serve", *options, SPEECHCLIP_PORT="1234", SPEECHCLIP_MODEL="other")

    assert [(one.port, one.host, one.model, one.data) for one in served] == [(0, "::1", "mine", tmp_path / "here")]


def test_a_wrong_setting_is_told_by_its_name(speechclip: Speechclip, served: list[Settings]) -> None:
    result = speechclip.run("serve", SPEECHCLIP_PORT="many")

    assert (result.exit_code, result.stdout, served) == (1, "", [])
    assert result.stderr.startswith("Error: the setting port (SPEECHCLIP_PORT): ")


def test_a_data_folder_that_is_a_file(speechclip: Speechclip, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    assert "cannot be used" in speechclip.refused("collections", "list", "--data", tmp_path / "file")


def test_an_error_that_nobody_planned_for_is_not_hidden(speechclip: Speechclip, encoder: FakeEncoder) -> None:
    encoder.broken = lambda word: True
    with pytest.raises(RuntimeError, match="secret detail"):
        speechclip.run("search", "dog")


def _seconds(code: str, *arguments: str) -> float:
    """Of the processor: those of the clock depend on what else runs."""
    before = os.times()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=True
    )
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def test_a_variable_that_is_not_even_json_is_told_in_one_sentence(
    speechclip: Speechclip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEECHCLIP_API_KEYS", "{")

    assert "api_keys" in speechclip.refused("collections", "list")


def test_a_message_moves_no_terminal(speechclip: Speechclip, tmp_path: Path) -> None:
    (tmp_path / "evil\x1b]0;title\x07.gz").write_bytes(b"")

    told = speechclip.refused("index", "pictures", *tmp_path.glob("evil*"))

    assert "evil" in told
    assert told.isprintable()
