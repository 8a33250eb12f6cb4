"""Bring `.venv` up to date: the one set-up behind `./run` and `./test`. Standard library only.

`python scripts/environment.py [EXTRA ...]` installs the project with the extra `cpu` or `gpu`, whichever this machine
calls for, and the extras named. What was installed is noted in a stamp file in `.venv`, so that the next call has
nothing to do until something changes. An empty stamp is a set-up that never finished: the next one starts over.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

UV = "uv>=0.9,<1"
SMI_SECONDS = 20  # a driver that was asleep takes a few seconds to answer

Call = Callable[[Sequence[str]], bool]
"""Run a command to its end; was it a success?"""


class SetupError(Exception):
    """The environment could not be made; the message is for the person at the terminal."""


def say(text: str) -> None:
    print(f"[set-up] {text}", flush=True)


@dataclass(frozen=True)
class Stamp:
    """What an environment is made of."""

    base: str
    """What cannot change under installed packages: interpreter, accelerator, place."""
    requirements: str
    """SHA-256 of the files that say what to install."""
    extras: tuple[str, ...]

    @classmethod
    def wanted(cls, root: Path, accelerator: str, extras: Sequence[str]) -> Stamp:
        python = f"{platform.python_implementation()} {platform.python_version()} {platform.machine()}"
        files = [root / "pyproject.toml", root / "constraints.txt"]
        digest = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
        return cls(f"{python} {accelerator} {root}", digest, tuple(sorted(extras)))

    @property
    def accelerator(self) -> str:
        return self.base.split(" ", 4)[3] if self.base.count(" ") > 3 else ""

    @classmethod
    def read(cls, path: Path) -> Stamp | None:
        """The stamp in a file; None if it holds none, as after a set-up that was killed."""
        try:
            content = json.loads(path.read_text())
            return cls(str(content["base"]), str(content["requirements"]), tuple(content["extras"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, path: Path) -> None:
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(path)

    def covers(self, other: Stamp) -> bool:
        same = (self.base, self.requirements) == (other.base, other.requirements)
        return same and set(self.extras) >= set(other.extras)


@dataclass(frozen=True)
class Environment:
    """The `.venv` of one checkout."""

    root: Path
    call: Call

    @property
    def path(self) -> Path:
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        return self.path / "bin" / "python"

    @property
    def stamp(self) -> Path:
        return self.path / "setup.json"

    def ensure(self, accelerator: str, extras: Sequence[str], links: Callable[[], Sequence[str]], prefix: Path) -> bool:
        """Make the environment what is wanted; False if it was already.

        `prefix` is that of the running interpreter: where `.venv` has one that works, it is that one.
        """
        wanted = Stamp.wanted(self.root, accelerator, extras)
        found = Stamp.read(self.stamp)
        runs = prefix.resolve() == self.path.resolve()
        if found and runs and found.covers(wanted):
            return False
        half_done = self.stamp.exists() and found is None
        keep = runs and not half_done and (found is None or found.base == wanted.base)
        if found and keep:
            wanted = Stamp(wanted.base, wanted.requirements, tuple(sorted({*wanted.extras, *found.extras})))
        self._begin(keep)
        self._install([accelerator, *wanted.extras], links())
        wanted.write(self.stamp)
        return True

    def _begin(self, keep: bool) -> None:
        if not keep and self.path.exists():
            say("The environment in .venv is unfinished or made for something else; starting over.")
        self.path.mkdir(exist_ok=True)
        self.stamp.write_bytes(b"")
        if keep:
            return
        for entry in self.path.iterdir():
            if entry != self.stamp:
                _remove(entry)
        say(f"Creating .venv with Python {platform.python_version()}.")
        # The running interpreter may be the one just removed; its base is what made it.
        base = getattr(sys, "_base_executable", sys.executable)
        if not self.call([base, "-m", "venv", str(self.path)]):
            raise SetupError(f"{base} could not make a virtual environment in {self.path}.")

    def _install(self, extras: Sequence[str], links: Sequence[str]) -> None:
        options = [word for link in links for word in ("--find-links", link)]
        pip = [str(self.python), "-m", "pip", "install", *options]
        say("Installing uv, a fast installer.")
        with_uv = self.call([*pip, "--quiet", UV])
        has_torch = holds_torch(links, torch_version(self.root))
        say(f"Installing the project and what it needs [{', '.join(extras)}]. The first time takes some minutes.")
        for attempt, command in enumerate(self._commands(pip, options, extras, with_uv, has_torch)):
            if attempt:
                say("That did not work; trying another way.")
            if self.call(command):
                return
        raise SetupError("The packages could not be installed; the messages above say why. Is there a network?")

    def _commands(
        self, pip: list[str], options: list[str], extras: Sequence[str], with_uv: bool, has_torch: bool
    ) -> Iterator[list[str]]:
        project = ["--constraint", str(self.root / "constraints.txt"), "--editable", f"{self.root}[{','.join(extras)}]"]
        uv = [str(self.python), "-m", "uv", "pip", "install", "--python", str(self.python), *options]
        if with_uv:
            # Compiled here once: with PYTHONDONTWRITEBYTECODE set, every process would do it again for itself.
            uv.append("--compile-bytecode")
            if not has_torch:
                yield [*uv, "--torch-backend=auto", *project]
            yield [*uv, *project]
        yield [*pip, *project]


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()


def accelerator(before: Stamp | None = None) -> str:
    """`gpu` where an NVIDIA driver answers and faiss has a build for it, else `cpu`.

    A driver that does not answer, as after its update, is no reason to throw away what was made for it `before`.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64") or shutil.which("nvidia-smi") is None:
        return "cpu"
    try:
        answer = subprocess.run(["nvidia-smi", "-L"], capture_output=True, timeout=SMI_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        if before is None or before.accelerator != "gpu":
            return "cpu"
        say("nvidia-smi does not answer; the environment for a GPU stays.")
        return "gpu"
    return "gpu" if b"GPU" in answer.stdout else "cpu"


def find_links(environ: Mapping[str, str], pip_config: Callable[[], str]) -> list[str]:
    """Where the user keeps wheels. uv reads neither pip's variable nor its configuration, so both are read here."""
    if uv := environ.get("UV_FIND_LINKS"):
        return [link.strip() for link in uv.split(",") if link.strip()]
    return (environ.get("PIP_FIND_LINKS") or pip_config()).split()


def pip_find_links() -> str:
    command = [sys.executable, "-m", "pip", "config", "get", "global.find-links"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def torch_version(root: Path) -> str:
    """The release of torch that the project asks for."""
    pinned = re.search(r'"torch==([\w.]+)"', (root / "pyproject.toml").read_text())
    if pinned is None:
        raise SetupError("pyproject.toml does not pin torch.")
    return pinned[1]


def holds_torch(links: Sequence[str], version: str) -> bool:
    """Does one of these folders hold this torch, built for this interpreter and machine?"""
    system = {"darwin": "macosx"}.get(sys.platform, sys.platform)
    fitting = re.compile(
        rf"torch-{re.escape(version)}(\+\w+)?-cp{sys.version_info.major}{sys.version_info.minor}-\w+"
        rf"-\w*{system}\w*_{platform.machine()}\.whl"
    )
    folders = (Path(link.removeprefix("file://")).expanduser() for link in links)
    return any(fitting.fullmatch(wheel.name) for folder in folders for wheel in folder.glob("torch-*.whl"))


@contextmanager
def locked(root: Path) -> Iterator[int]:
    """One set-up at a time in a checkout. Yields the lock's descriptor.

    The lock is on the folder itself, so that it leaves no file behind. Commands inherit it: when only this process is
    killed, the installer it started goes on, and the next set-up waits for that.
    """
    folder = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another set-up is at work in this folder; waiting for it.")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(folder)


def main(extras: Sequence[str]) -> int:
    root = Path(__file__).resolve().parent.parent
    start = time.monotonic()
    with locked(root) as lock:

        def call(command: Sequence[str]) -> bool:
            return subprocess.run(command, pass_fds=(lock,), check=False).returncode == 0

        def links() -> list[str]:
            return find_links(os.environ, pip_find_links)

        environment = Environment(root, call)
        wanted = accelerator(Stamp.read(environment.stamp))
        changed = environment.ensure(wanted, extras, links, Path(sys.prefix))
    say(f"Ready after {time.monotonic() - start:.0f} s." if changed else "Everything is up to date.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SetupError as error:
        sys.exit(f"[set-up] {error}")
    except KeyboardInterrupt:
        sys.exit("\n[set-up] Stopped half way; the next call starts over.")
