"""A built image run as a container would be: its own processes and mounts, its user, no rights, nothing writable.

Not as a container: it has the network, the limits and the filter of system calls of whoever runs this.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.image_build import ProofFailed, run

ENTER = """
root=$1; data=$2; volume=$3; shift 3
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind "$data" "$root$volume"
mount -o remount,bind,ro "$root"
exec chroot "$root" "$@"
"""
STOP_S = 45


@dataclass(frozen=True)
class Container:
    """What an image says about how it is run, and where its volume is kept."""

    root: Path
    data: Path
    user: tuple[int, int]
    environment: Mapping[str, str]
    folder: str
    volume: str
    entry: Sequence[str]
    health: Sequence[str]

    @classmethod
    def of(cls, config: Mapping[str, Any], root: Path, data: Path, environment: Mapping[str, str]) -> Container:
        """`data` gets the rights of the image's volume, as a new volume does. More variables are in `environment`."""
        (volume,) = config["Volumes"]
        kind, *health = config["Healthcheck"]["Test"]
        if kind != "CMD":
            raise ProofFailed(f"the health check is no list of words: {kind}")
        owner = (root / volume.lstrip("/")).stat()
        data.mkdir(exist_ok=True)
        os.chown(data, owner.st_uid, owner.st_gid)
        own = dict(line.split("=", 1) for line in config["Env"])
        return cls(
            root, data, user_of(config["User"], root), {**own, **environment}, config["WorkingDir"], volume,
            [*config["Entrypoint"], *config["Cmd"]], health,
        )  # fmt: skip

    def words(self, command: Sequence[str]) -> list[str]:
        """A command within the root as the image's user, without rights and ways to get some."""
        user, group = self.user
        variables = [f"{name}={value}" for name, value in self.environment.items()]
        return [
            "setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "--no-new-privs",
            "--bounding-set=-all", "--inh-caps=-all", "--",
            "env", "--ignore-environment", f"--chdir={self.folder}", *variables, *command,
        ]  # fmt: skip

    @contextmanager
    def started(self, log: Path) -> Iterator[Running]:
        """The image's command as process 1; killed at the end if it still runs."""
        spaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        places = [str(self.root), str(self.data), self.volume]
        with log.open("ab") as file:
            outer = subprocess.Popen(
                [*spaces, "sh", "-euc", ENTER, "enter", *places, *self.words(self.entry)], stdout=file, stderr=file
            )
        try:
            yield Running(self, outer, time.monotonic())
        finally:
            outer.kill()
            outer.wait()


@dataclass(frozen=True)
class Running:
    """A container that was started."""

    container: Container
    outer: subprocess.Popen[bytes]
    since: float

    @property
    def pid(self) -> int:
        """Of the process that is number 1 inside."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and _status(int(entry.name)).get("PPid") == str(self.outer.pid):
                return int(entry.name)
        raise ProofFailed("the service has ended")

    def status(self) -> Mapping[str, str]:
        """What the kernel says of process 1: its user, its rights, its memory."""
        return _status(self.pid)

    def execute(self, *command: str) -> str:
        """What a command printed that ran beside the service, as its user. Raises `ProofFailed`."""
        inside = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--root"]
        return run([*inside, *self.container.words(command)], quiet=True).strip()

    def stop(self) -> tuple[int, float]:
        """Its exit status after SIGTERM, and the seconds it took. Raises `ProofFailed` if it goes on."""
        start = time.monotonic()
        os.kill(self.pid, signal.SIGTERM)
        try:
            return self.outer.wait(STOP_S), time.monotonic() - start
        except subprocess.TimeoutExpired:
            raise ProofFailed(f"{STOP_S} s after SIGTERM the service still runs") from None


def user_of(name: str, root: Path) -> tuple[int, int]:
    """Ids of user and group of a name in the image's list of users."""
    for line in (root / "etc/passwd").read_text().splitlines():
        known, _, user, group, *_ = line.split(":")
        if known == name:
            return int(user), int(group)
    raise ProofFailed(f"the image has no user {name!r}")


def _status(pid: int) -> dict[str, str]:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
