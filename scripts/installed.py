"""What is installed here because of one distribution: what it requires, what that requires, and so on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def installed(requirements: Iterable[str]) -> Mapping[str, Distribution]:
    """By canonical name, those that are there. Extras count where something in the chain asks for them."""
    found = dict[str, Distribution]()
    seen = set[tuple[str, frozenset[str]]]()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen or not _applies(requirement, {""}):
            continue
        seen.add((name, extras))
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue
        # The names stay in the marker, where they have done their work.
        asked = [Requirement(text) for text in found[name].requires or ()]
        waiting += [_unmarked(one) for one in asked if _applies(one, {"", *extras})]
    return dict(sorted(found.items()))


def _applies(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras)


def _unmarked(requirement: Requirement) -> Requirement:
    requirement.marker = None
    return requirement
