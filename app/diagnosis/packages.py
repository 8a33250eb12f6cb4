"""Python, the packages that the project requires, and the engines in them."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution, version
from importlib.resources import files

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from app.diagnosis.findings import Finding, failed, ok, warned
from app.version import DISTRIBUTION

REPAIR = "install them: ./run does, or pip install with constraints.txt"
FAISS = ("faiss-cpu", "faiss-gpu")
AREA = "packages"
SERVICE = "service"
"""The extra that brings what serves."""


def check_python() -> Iterator[Finding]:
    """The interpreter is one of those that the project is made for."""
    found = f"{platform.python_implementation()} {platform.python_version()} on {platform.platform(terse=True)}"
    try:
        wanted = distribution(DISTRIBUTION).metadata["Requires-Python"] or ""
    except PackageNotFoundError:
        wanted = ""
    if SpecifierSet(wanted).contains(platform.python_version(), prereleases=True):
        yield ok("python", found)
    else:
        yield failed("python", f"{found}, but {wanted} is needed", "make .venv anew with another Python: ./run")


def check_packages() -> Iterator[Finding]:
    """Every package that is required is there, in a version that fits; of extras, those that are there."""
    try:
        requirements = [Requirement(text) for text in distribution(DISTRIBUTION).requires or ()]
    except PackageNotFoundError:
        yield warned(AREA, f"{DISTRIBUTION} runs without being installed", REPAIR)
        return
    wrong = list(dict.fromkeys(reason for one in requirements if (reason := _wrong(one))))
    if wrong:
        yield failed(AREA, "; ".join(wrong), REPAIR)
    else:
        yield ok(AREA, f"{DISTRIBUTION} {version(DISTRIBUTION)}, and all that it requires")


def check_engines() -> Iterator[Finding]:
    """What decodes and what searches do their work."""
    yield from _check_faiss()
    import av

    from models.audio import decode

    seconds = decode((files("app") / "utterance.flac").read_bytes()).seconds
    yield ok("ffmpeg", f"{av.ffmpeg_version_info} through av {version('av')} decodes ({seconds:.1f} s of speech)")


def _check_faiss() -> Iterator[Finding]:
    there = [name for name in FAISS if _version(name)]
    if len(there) != 1:
        both = "both faiss-cpu and faiss-gpu are" if there else "neither faiss-cpu nor faiss-gpu is"
        yield failed("faiss", f"{both} installed", "install exactly one of the extras cpu and gpu")
        return
    import faiss

    yield ok("faiss", f"{there[0]} {_version(there[0])}, {faiss.get_compile_options().strip() or 'generic'}")


def _wrong(requirement: Requirement) -> str | None:
    """Why a requirement is not met; that of another extra is met where the package is not there."""
    marker = requirement.marker
    needed = marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", SERVICE))
    found = _version(requirement.name)
    if found is None:
        return f"{requirement.name} is missing" if needed else None
    if requirement.name.lower() == DISTRIBUTION or requirement.specifier.contains(found, prereleases=True):
        return None
    return f"{requirement.name} is {found}, not {requirement.specifier}"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
