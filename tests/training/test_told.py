"""How commands end where something has to be done first."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

from models.errors import ModelError
from training.errors import NotReady
from training.told import told

FACTOR = ("nothing", "--data", "manifest", "--root", "nowhere", "--features", "nowhere")


@pytest.mark.parametrize("error", [NotReady("first\n  this"), ModelError("first this")])
def test_it_is_a_line(error: Exception) -> None:
    with pytest.raises(SystemExit) as ended, told():
        raise error
    assert ended.value.code == "first this"


def test_what_nobody_wrote_for_people_is_not_hidden() -> None:
    with pytest.raises(KeyError), told():
        raise KeyError("of ours")


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize(
    ("module", "arguments", "reason"),
    [
        ("training.published.names", ("out", "--work", "nowhere"), "fetch the packages first"),
        ("training.published.features.factor", FACTOR, "there are cascaded-base-flickr, "),
    ],
)
def test_modules_that_are_commands_end_so(
    module: str, arguments: tuple[str, ...], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__")

    assert reason in str(ended.value.code)
    assert list(tmp_path.iterdir()) == []
