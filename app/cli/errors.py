"""What is told to the person at the terminal in one sentence."""

from __future__ import annotations

from app.access.errors import InvalidKeys
from app.bulk.errors import SourceError
from app.cli.plain import plain
from index.errors import CollectionError, CollectionLocked
from models.errors import AudioError, ImageError, ModelError


class CommandError(Exception):
    """A refusal of the command line itself."""


TOLD = (CommandError, SourceError, InvalidKeys, CollectionError, AudioError, ImageError, ModelError)


def sentence(error: Exception) -> str:
    """One line for one of `TOLD`; what it quotes may be the name of anybody's file."""
    text = plain(" ".join(str(error).split())) or type(error).__name__
    if isinstance(error, CollectionLocked):
        text += "; a running `speechclip serve` has all its collections open: ask it over HTTP, or stop it"
    return text
