"""What English has for where things are, and for what is behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from training.scenes.colours import PLAIN, Backdrop
from training.scenes.nouns import with_article

NEXT_TO = "next to"

RELATIONS: Mapping[str, tuple[str, ...]] = {
    "left": ("to the left of", "left of", "on the left of", "on the left side of"),
    "right": ("to the right of", "right of", "on the right of", "on the right side of"),
    "above": ("above", "above", "over"),
    "below": ("below", "under", "underneath", "beneath"),
    NEXT_TO: ("next to", "next to", "beside", "near", "close to", "by"),
}
"""How it goes on after the first thing, before the second."""

SIDES: Mapping[str, tuple[str, str]] = {
    "left": ("on the left", "on the right"),
    "right": ("on the right", "on the left"),
    "above": ("at the top", "at the bottom"),
    "below": ("at the bottom", "at the top"),
}
"""Where the first is in the picture, and where the second is."""

PLACES: Mapping[str, tuple[str, ...]] = {
    "middle": ("in the middle", "in the centre"),
    "left": ("on the left", "on the left side", "at the left edge"),
    "right": ("on the right", "on the right side", "at the right edge"),
    "top": ("at the top",),
    "bottom": ("at the bottom",),
    **{
        f"{level} {side}": (f"in the {level} {side} corner", f"in the {level} {side}", f"at the {level} on the {side}")
        for level in ("top", "bottom")
        for side in ("left", "right")
    },
}

SIZES: Mapping[str, tuple[str, ...]] = {"big": ("big", "big", "large"), "small": ("small", "small", "little")}

_PLAIN = ("on {a} background", "on {a} background", "on {colour}", "against {a} background", "in front of {a} wall")
_SCENERIES: Mapping[str, tuple[str, ...]] = {
    "grass": ("on the grass", "on green grass", "in a meadow", "in a green field"),
    "sea": ("by the sea", "at the seaside", "in front of the sea", "on the coast"),
    "beach": ("on the beach", "at the beach", "on the sand"),
    "snow": ("in the snow", "on the snow"),
    "night": ("under the stars", "in front of a starry sky"),
    "sunset": ("in front of a sunset", "before a red evening sky"),
}
_ALSO: Mapping[str, tuple[str, ...]] = {
    PLAIN: ("with {a} background",),
    "snow": ("on a snowy day",),
    "night": ("at night", "on a starry night"),
    "sunset": ("at sunset", "in the evening"),
}


def standing(backdrop: Backdrop) -> tuple[str, ...]:
    """What can be said after `the cat is`."""
    phrases = _PLAIN if backdrop.kind == PLAIN else _SCENERIES[backdrop.kind]
    return _coloured(phrases, backdrop.colour)


def behind(backdrop: Backdrop) -> tuple[str, ...]:
    """What can be said after a description, or before `there is`."""
    return (*standing(backdrop), *_coloured(_ALSO.get(backdrop.kind, ()), backdrop.colour))


def _coloured(phrases: Sequence[str], colour: str | None) -> tuple[str, ...]:
    return tuple(phrase.format(a=with_article(colour), colour=colour) if colour else phrase for phrase in phrases)
