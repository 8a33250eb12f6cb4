"""The frame of the house: who may import whom, and what every file must keep to."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("app", "models", "index", "training", "speechclip_client", "bench")

ARROWS = {
    "app": {"models", "index"},
    "models": set[str](),
    "index": set[str](),
    "training": {"models"},
    "speechclip_client": set[str](),
    "bench": {"app", "models", "index", "training", "speechclip_client"},
}
EVALUATION = "training/evaluat"  # what searches a collection to measure: may import index too

MOST_LINES = 350
SOURCE = {".py", ".js", ".css", ".html", ".sh", ""}
NOT_OURS = {
    ".git",
    ".venv",
    "__pycache__",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".hypothesis",
    "node_modules",
}
GENERATED = {Path(name) for name in ("data", "work", "build", "dist")}

# In pieces, or this file would find itself.
ADDRESSES = ["py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com", "pytorch" + ".org/whl"]
MACHINE_PATHS = [
    "/ro" + "ot/",
    "/ho" + "me/",
    "/opt/" + "wheels",
    "/opt/" + "pypi",
    "/wo" + "rk/main",
    "/wo" + "rk/shared",
]


def files() -> Iterator[Path]:
    """Every file of the repository, relative to its root."""
    for folder, folders, names in os.walk(ROOT):
        here = Path(folder).relative_to(ROOT)
        folders[:] = [name for name in folders if name not in NOT_OURS and here / name not in GENERATED]
        yield from (here / name for name in names)


def text(path: Path) -> str | None:
    """A file's text; None if it is no text."""
    try:
        return (ROOT / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


def imported_packages(source: str) -> set[str]:
    """Top-level packages that a module imports, wherever in it and also by `import_module`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found.update(name.name.partition(".")[0] for name in names)
            case ast.ImportFrom(module=str(module), level=0):
                found.add(module.partition(".")[0])
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                found.add(module.partition(".")[0])
    return found


def forbidden_imports(path: Path, source: str) -> set[str]:
    """Packages of this repository that the module at this path imports though it may not."""
    package = path.parts[0]
    allowed = {package} | ARROWS[package]
    if path.as_posix().startswith(EVALUATION):
        allowed.add("index")
    ours = {*PACKAGES, "tests", "scripts"}
    return imported_packages(source) & ours - allowed


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_follow_the_arrows(package: str) -> None:
    modules = [path for path in files() if path.parts[0] == package and path.suffix == ".py"]
    against = {str(path): sorted(bad) for path in modules if (bad := forbidden_imports(path, text(path) or ""))}

    assert modules
    assert against == {}


@pytest.mark.parametrize(
    ("path", "source", "bad"),
    [
        ("models/audio.py", "import app.settings", {"app"}),
        ("models/audio.py", "def f():\n    from index import store", {"index"}),
        ("index/store.py", "if TYPE_CHECKING:\n    from models.audio import Waveform", {"models"}),
        ("app/cli.py", "importlib.import_module('training.trainer')", {"training"}),
        ("app/cli.py", "from tests.fakes import FakeEncoder", {"tests"}),
        ("training/trainer.py", "import models, index", {"index"}),
        ("training/evaluation.py", "import models, index", set()),
        ("app/main.py", "import models.audio\nfrom index import store\nfrom . import state", set()),
    ],
)
def test_an_import_against_the_arrows_is_found(path: str, source: str, bad: set[str]) -> None:
    assert forbidden_imports(Path(path), source) == bad


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_that_it_is_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_no_source_file_is_long() -> None:
    lengths = {str(path): len((text(path) or "").splitlines()) for path in files() if path.suffix in SOURCE}

    assert {path: lines for path, lines in lengths.items() if lines > MOST_LINES} == {}


def test_no_file_names_a_registry_or_a_path_of_somebodys_machine() -> None:
    pattern = re.compile("|".join(re.escape(word) for word in ADDRESSES + MACHINE_PATHS))
    found = {str(path): match[0] for path in files() if (match := pattern.search(text(path) or ""))}

    assert found == {}
