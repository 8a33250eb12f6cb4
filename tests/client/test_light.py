"""The client alone, as it is where the distribution is installed without extras."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

from scripts.installed import installed
from tests.fake_encoder import spoken
from tests.patience import WAIT_S

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys
from speechclip_client import Client, SpeechClipError
with Client(sys.argv[1]) as service:
    print(service.search("images", text="dog").results[0].id)
    print(service.search("images", audio=sys.argv[2], top_k=1).query.kind)
    try:
        service.search("none", text="dog")
    except SpeechClipError as error:
        print(type(error).__name__)
    with open(sys.argv[2], "rb") as file:
        *_, final = service.stream([file.read()], format="container")
    print(final.searches["images"][0].id)
print(sorted({"torch", "numpy", "fastapi", "app"} & sys.modules.keys()))
"""


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and its requirements, and nothing else: what pip makes of it in an empty environment."""
    made, site = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(made)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 0, done.stderr
    (wheel,) = made.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
        (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        requires = HeaderParser().parsestr(archive.read(metadata).decode()).get_all("Requires-Dist", [])
    for one in installed(requires).values():
        for top in {file.parts[0] for file in one.files or () if file.parts[0] != ".."} - {"__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(one.locate_file(top))))
    return site


def run(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A Python that has the folder and its own library, and neither this checkout nor this environment."""
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", f"import sys; sys.path.append({str(site)!r})\n"]
    command[-1] += arguments[0]
    return subprocess.run(
        [*command, *arguments[1:]], cwd=site.parent, capture_output=True, text=True, timeout=WAIT_S, check=False
    )


def test_it_asks_a_service_and_neither_has_nor_imports_what_that_needs(light: Path, url: str, tmp_path: Path) -> None:
    recording = tmp_path / "dog.wav"
    recording.write_bytes(spoken("dog"))
    done = run(light, PROGRAM, url, str(recording))

    assert (done.stdout, done.stderr) == ("dog\naudio\nCollectionNotFound\ndog\n[]\n", "")
    assert not any((light / name).exists() for name in ("torch", "numpy", "fastapi", "faiss", "typer"))


def test_every_file_of_the_pages_is_in_the_wheel(light: Path) -> None:
    files = [path for folder in ("page", "reference") for path in (ROOT / "app" / folder).rglob("*") if path.is_file()]

    assert {path.suffix for path in files} == {".html", ".css", ".js", ".svg", ".mp3", ".txt"}
    for path in files:
        assert (light / path.relative_to(ROOT)).read_bytes() == path.read_bytes()


def test_the_service_says_in_one_sentence_what_it_is_missing(light: Path) -> None:
    done = run(light, "from app.console import main; main()", "serve")

    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "pip install 'speechclip-search[cpu]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
