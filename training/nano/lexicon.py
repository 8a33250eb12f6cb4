"""The lexicon of nano: emoji, the English phrases that name them, and their drawings, all from npm packages."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from training.errors import NotReady

DATA_PACKAGE = "emojibase-data@17.0.0"
PACKAGES = (
    DATA_PACKAGE,
    "@iconify-json/noto@1.2.9",
    "emoji-datasource-twitter@16.0.0",
    "openmoji@17.0.0",
    "@iconify-json/noto-v1@1.2.5",
    "kokoro-js@1.2.1",  # the voices of Kokoro
)
COMPONENT_GROUP = 2
COUNTRY = "flag: "  # Noto's set of drawings leaves the flags of countries out
MAX_WORDS = 6
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_DIGITS = {str(number): word for number, word in enumerate(_NUMBERS)}


@dataclass(frozen=True)
class Emoji:
    """One emoji: its code points without the presentation selector, its name, and its keywords (names excluded)."""

    id: str
    symbol: str
    name: str
    keywords: tuple[str, ...]

    @property
    def phrases(self) -> tuple[str, ...]:
        """Everything that may be said for this emoji, name first."""
        return (self.name, *self.keywords)


@dataclass(frozen=True, eq=False)
class Lexicon:
    emoji: Sequence[Emoji]

    @cached_property
    def members(self) -> Mapping[str, tuple[int, ...]]:
        """Phrase -> positions in `emoji` of everything it names."""
        members: dict[str, list[int]] = defaultdict(list)
        for position, emoji in enumerate(self.emoji):
            for phrase in emoji.phrases:
                members[phrase].append(position)
        return {phrase: tuple(positions) for phrase, positions in members.items()}

    @cached_property
    def phrases(self) -> tuple[str, ...]:
        return tuple(sorted(self.members))


def speakable(text: str) -> str | None:
    """The phrase as one would say it, lower case; None where it is not made of words (`+1`, `<3`, `143`)."""
    text = text.lower().replace("’", "'").replace("“", "").replace("”", "")
    if text in _DIGITS:
        return _DIGITS[text]
    text = re.sub(r"^(keycap|flag): ", "", text).replace("&", "and")
    text = re.sub(r"[:,().]", " ", text).replace("-", " ")
    text = " ".join(_DIGITS.get(word, word) for word in text.split())
    words = text.split()
    if not 1 <= len(words) <= MAX_WORDS or not all(part.isalpha() for word in words for part in word.split("'")):
        return None
    return text


def load_lexicon(packages: Path) -> Lexicon:
    """Read the lexicon from the unpacked npm packages under `packages` (see `fetch_packages`)."""
    data = packages / "emojibase-data" / "en" / "data.json"
    if not data.exists():
        raise NotReady(f"{data} is missing: fetch the packages first")
    entries = json.loads(data.read_text(encoding="utf-8"))
    named = [e for e in entries if e.get("group") not in (None, COMPONENT_GROUP) and not e["label"].startswith(COUNTRY)]
    return Lexicon([emoji for emoji in map(_emoji, named) if emoji is not None])


def _emoji(entry: Mapping[str, Any]) -> Emoji | None:
    spoken = [phrase for phrase in map(speakable, [entry["label"], *entry.get("tags", [])]) if phrase]
    unique = list(dict.fromkeys(spoken))
    if not unique:
        return None
    return Emoji(drawing_id(entry["hexcode"]), entry["emoji"], unique[0], tuple(unique[1:]))


def drawing_id(hexcode: str) -> str:
    """Code points in lower case without U+FE0F, the form in which all packages agree."""
    return "-".join(part for part in hexcode.lower().split("-") if part != "fe0f")


def package_folder(spec: str) -> str:
    """`@scope/name@1.0.0` -> `name`."""
    return spec.removeprefix("@").split("@")[0].rsplit("/", 1)[-1]


def fetch_packages(packages: Path) -> None:
    """Download and unpack the npm packages that are not there yet; npm must be installed. Raises `NotReady`."""
    npm = shutil.which("npm")
    if npm is None:
        raise NotReady("the drawings come from npm packages: install npm first")
    for spec in PACKAGES:
        target = packages / package_folder(spec)
        if target.exists():
            continue
        packages.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=packages) as scratch:
            _pack(npm, spec, scratch)
            (archive,) = Path(scratch).glob("*.tgz")
            with tarfile.open(archive) as tar:
                tar.extractall(scratch, filter="data")
            (Path(scratch) / "package").rename(target)


def _pack(npm: str, spec: str, folder: str) -> None:
    command = [npm, "pack", "--loglevel=error", spec]
    try:
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    except subprocess.CalledProcessError as error:
        raise NotReady(f"npm could not fetch {spec}: {_npms_reason(error.stderr)}") from error


def _npms_reason(said: str) -> str:
    """The first line of what npm said that is a sentence; codes of the error come before it."""
    lines = [re.sub(r"^npm (error|ERR!) ?", "", line).strip() for line in said.splitlines()]
    told = [line for line in lines if line and line.split()[0] not in ("code", "syscall", "errno")]
    return told[0] if told else "it did not say why"
