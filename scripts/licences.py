"""Under which licence each installed package is, by its own metadata, and which of them a lawyer would want to see."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution

UNKNOWN = "unknown"
LONGEST = 80
"""Characters; what is longer is a licence's text in the place of its name."""
CLASSIFIER = re.compile(r"License :: (?:OSI Approved :: )?(?P<name>.+)")

# The whole work has to be under it, or may not be sold or served.
STRONG = re.compile(
    r"(?<!L)(?<!Lesser )(?:\bA?GPL|GNU (?:Affero )?General Public|\bSSPL|\bBUSL|Business Source|Non-?Commercial|"
    r"\bCC-BY-NC|Proprietary)",
    re.IGNORECASE,
)
# Its own files stay under it.
WEAK = re.compile(r"\bLGPL|Lesser General Public|\bMPL|Mozilla|\bEPL|Eclipse|\bCDDL", re.IGNORECASE)
EXCEPTION = re.compile(r"\bWITH\b.*exception", re.IGNORECASE)


@dataclass(frozen=True)
class Licensed:
    """One package. attention: why somebody should look at it; empty for licences that ask for their notice only."""

    name: str
    version: str
    licence: str
    attention: str = ""


def licences_of(distributions: Iterable[Distribution]) -> list[Licensed]:
    """Of each, in their order."""
    return [_licensed(one) for one in distributions]


def _licensed(one: Distribution) -> Licensed:
    licence = _licence(one)
    return Licensed(one.metadata["Name"], one.version, licence, attention(licence))


def attention(licence: str) -> str:
    """What such a licence asks for beyond its notice. Of several to choose from, the one that asks for least."""
    if licence == UNKNOWN:
        return "states no licence: look at its source"
    choices = [_asks(choice) for choice in re.split(r"\s+OR\s+", licence)]
    return min(choices, key=len)


def _asks(licence: str) -> str:
    if STRONG.search(licence) and not EXCEPTION.search(licence):
        return "copyleft, or not for every use: read it before you hand on anything that contains it"
    if WEAK.search(licence):
        return "its own files stay under it: hand on their source with changes"
    return ""


def _licence(one: Distribution) -> str:
    metadata = one.metadata
    if expression := metadata.get_all("License-Expression", []):
        return str(expression[0])
    named = [str(text) for text in metadata.get_all("License", [])]
    classified = [match["name"] for text in metadata.get_all("Classifier", []) if (match := CLASSIFIER.fullmatch(text))]
    named.append(" AND ".join(classified))
    usable = (" ".join(name.split()) for name in named if len(name.strip()) <= LONGEST)
    return next((name for name in usable if name and name.upper() != "UNKNOWN"), UNKNOWN)
