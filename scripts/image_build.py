"""The image of the Dockerfile, built without a container engine: by buildah, everything below one folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

IMAGE = "localhost/speechclip-search"
BASE = "localhost/base"
SUITE = "bookworm"
IN_BASE = ("python3", "python3-venv", "python3-pip", "python-is-python3", "ca-certificates")
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


class ProofFailed(Exception):
    """A step did not do what it should; the message says which and how."""


def run(command: Sequence[str], env: Mapping[str, str] | None = None, *, quiet: bool = False) -> str:
    """What a command printed, which `quiet` keeps from the terminal. Raises `ProofFailed` if it failed."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE if quiet else None,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise ProofFailed(f"{command[0]} is not installed: apt-get install buildah debootstrap") from None
    if done.returncode:
        raise ProofFailed(f"{command[0]} ended with status {done.returncode}: {' '.join(command)}")
    return done.stdout or ""


@dataclass(frozen=True)
class Index:
    """Where packages are found, where that is not the public index: as pip on this machine is told."""

    url: str | None = None
    links: tuple[str, ...] = ()
    certificates: str | None = None
    has_torch: bool = False
    """Whether there is a torch for the CPU among the links."""

    def arguments(self, folder: Path) -> list[str]:
        """Of `buildah build`. They are mounted while it builds: the image has nothing of them but empty files."""
        mounts = {link: link for link in map(_local, self.links) if link}
        if self.certificates:
            mounts[self.certificates] = CERTIFICATES
        if self != Index():
            for name, target in (("pip.conf", "/etc/pip.conf"), ("uv.toml", "/etc/uv/uv.toml")):
                mounts[str(folder / name)] = target
            (folder / "pip.conf").write_text(self._pip())
            (folder / "uv.toml").write_text(self._uv())
        volumes = [word for source, target in mounts.items() for word in ("--volume", f"{source}:{target}:ro")]
        return [*volumes, *(["--build-arg", "TORCH_BACKEND="] if self.has_torch else [])]

    def _pip(self) -> str:
        lines = {"index-url": self.url, "find-links": " ".join(self.links), "cert": CERTIFICATES}
        return "[global]\n" + "".join(f"{name} = {value}\n" for name, value in lines.items() if value)

    def _uv(self) -> str:
        # A JSON text or list is TOML too.
        lines = {"index-url": self.url, "find-links": list(self.links), "system-certs": True}
        return "".join(f"{name} = {json.dumps(value)}\n" for name, value in lines.items() if value)


def _local(link: str) -> str | None:
    """The folder that a link is, if it is one."""
    path = link.removeprefix("file://")
    return path if path.startswith("/") else None


def make_base(tarball: Path) -> None:
    """A Debian with what the Dockerfile expects of its base, into a file that is whole or not there."""
    root, draft = tarball.with_suffix(".root"), tarball.with_suffix(".draft")
    shutil.rmtree(root, ignore_errors=True)
    run(["debootstrap", "--variant=minbase", f"--include={','.join(IN_BASE)}", SUITE, str(root)])
    # The official images have a pip that installs what it is told to.
    for mark in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        mark.unlink()
    left = ("./var/cache/apt/archives", "./var/lib/apt/lists")
    excluded = [f"--exclude={folder}/*" for folder in left]
    run(["tar", "--directory", str(root), "--numeric-owner", *excluded, "--create", "--file", str(draft), "."])
    draft.rename(tarball)
    shutil.rmtree(root)


@dataclass(frozen=True)
class Layer:
    """One of an image: the instruction that made it, bytes on disk and as they are sent."""

    made_by: str
    size: int
    compressed: int


@dataclass(frozen=True)
class Builder:
    """buildah, with its storage in `folder`."""

    folder: Path

    def command(self, *words: str) -> list[str]:
        return [
            "buildah", "--root", str(self.folder / "storage"), "--runroot", str(self.folder / "run"),
            "--storage-driver", "vfs", *words,
        ]  # fmt: skip

    def call(self, *words: str, quiet: bool = True) -> str:
        """Raises `ProofFailed`."""
        temporary = self.folder / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        return run(self.command(*words), {"TMPDIR": str(temporary)}, quiet=quiet).strip()

    def import_base(self, tarball: Path) -> str:
        """The image made of a tarball of a root file system."""
        container = self.call("from", "scratch")
        self.call("add", container, str(tarball), "/")
        self.call("commit", "--rm", container, BASE)
        return BASE

    def build(self, source: Path, target: str, base: str, index: Index) -> str:
        """A target of the Dockerfile in `source`, on this base; layers of a build that broke off are taken again."""
        image = f"{IMAGE}:{target}"
        # OCI's format has no health check.
        self.call(
            "build", "--isolation", "chroot", "--format", "docker", "--layers", "--target", target,
            "--build-arg", f"BASE={base}", *index.arguments(self.folder), "--tag", image, str(source),
            quiet=False,
        )  # fmt: skip
        return image

    def config(self, image: str) -> dict[str, Any]:
        """What the image says about how it is run, in Docker's words."""
        config: dict[str, Any] = json.loads(self.call("inspect", "--type", "image", image))["Docker"]["config"]
        return config

    def layers(self, image: str) -> list[Layer]:
        """Compressed with gzip, as registries have them."""
        plain, packed = (
            self._pushed(image, option) for option in ("--disable-compression", "--compression-format=gzip")
        )
        history = json.loads(self.call("inspect", "--type", "image", image))["Docker"]["history"]
        made_by = [one["created_by"] for one in history if not one.get("empty_layer")]
        return [Layer(*one) for one in zip(made_by, plain, packed, strict=True)]

    def _pushed(self, image: str, *options: str) -> list[int]:
        target = self.folder / "pushed"
        self.call("push", *options, image, f"dir:{target}")
        layers = json.loads((target / "manifest.json").read_text())["layers"]
        shutil.rmtree(target)
        return [layer["size"] for layer in layers]

    @contextmanager
    def mounted(self, image: str) -> Iterator[Path]:
        """A new container's root."""
        container = self.call("from", image)
        try:
            yield Path(self.call("mount", container))
        finally:
            self.call("rm", container)

    def remove(self) -> None:
        """All images and layers, and what was kept for the next build."""
        self.call("rmi", "--all", "--force")
        for name in ("storage", "run", "tmp", "pip.conf", "uv.toml"):
            path = self.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
