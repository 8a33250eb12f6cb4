"""English nouns: plurals, articles, and numbers in words."""

from __future__ import annotations

import re
from dataclasses import dataclass

NUMBERS = {2: "two", 3: "three", 4: "four"}

# Words whose first sound is not what their first letter promises.
_LIKE_YOU = re.compile(r"(uni|use|eu|u[bkst]e|ufo|one\b)")
_MUTE_H = re.compile(r"(hour|honest|heir|honou?r)")


@dataclass(frozen=True, slots=True)
class Noun:
    singular: str
    plural: str


def noun(text: str) -> Noun:
    """`wolf/wolves`, or the singular alone where the plural is regular."""
    singular, _, plural = text.strip().partition("/")
    return Noun(singular, plural or regular_plural(singular))


def regular_plural(singular: str) -> str:
    if re.search(r"(s|x|z|ch|sh)$", singular):
        return f"{singular}es"
    if re.search(r"[^aeiou]y$", singular):
        return f"{singular[:-1]}ies"
    return f"{singular}s"


def with_article(phrase: str) -> str:
    """`a` or `an`, by the sound that the phrase starts with."""
    vowel = (phrase[0] in "aeiou" and not _LIKE_YOU.match(phrase)) or _MUTE_H.match(phrase)
    return f"{'an' if vowel else 'a'} {phrase}"


def listed(phrases: list[str]) -> str:
    """`a, b and c`."""
    *first, last = phrases
    return f"{', '.join(first)} and {last}" if first else last
