"""The settings, the model and the collections, opened in this process: no service takes part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from pydantic import ValidationError

from app.chosen import chosen_model
from app.cli.errors import CommandError
from app.cli.terminal import progress_bar, waiting
from app.collector import uncollected
from app.demo import DEFAULTS, prepare_collections
from app.query.requests import KEYWORDS
from app.settings import Settings
from index import address
from index.backend import Collection, Store
from models.protocol import Encoder


def settings_of(**given: Any) -> Settings:
    """The settings of the environment, and in their place what was given on the command line and is not None."""
    try:
        # So that a variable that is not even JSON is a `ValidationError` too.
        return Settings.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        found = error.errors(include_input=False)[0]
        name = "_".join(str(part) for part in found["loc"])
        where = f"the setting {name} (SPEECHCLIP_{name.upper()})" if name else "the settings of the environment"
        raise CommandError(f"{where}: {found['msg'].removeprefix('Value error, ')}") from None


def open_store(settings: Settings) -> Store:
    return address.open_store(settings.store, settings.data)


def load_model(settings: Settings) -> Encoder:
    """Raises `models.errors.ModelError`."""
    with waiting(f"loading the model {settings.model}"), uncollected():
        from models.encoder import load_encoder

        return load_encoder(chosen_model(settings), settings.precision)


@contextmanager
def searchable(
    name: str, settings: Settings, words: bool = False
) -> Iterator[tuple[Encoder, Mapping[str, Collection]]]:
    """The model, and a collection of its vectors; what can be wrong with that is found first.

    words: with the collection of keywords too, for a model with keyword slots. A default collection is made if it is
    not there, and made anew for another model, as when the service starts.
    """
    store, collections = open_store(settings), dict[str, Collection]()
    with ExitStack() as opened:
        if name not in DEFAULTS:
            collections[name] = opened.enter_context(store.open(name))
        elif name in store.names():
            store.open(name).close()
        encoder = load_model(settings)
        if name in collections:
            collections[name].require(encoder.fingerprint)
        wanted = {name, KEYWORDS} if words and "cascaded" in encoder.branches else {name}
        defaults = wanted & {*DEFAULTS}
        if defaults:
            with progress_bar() as advance:
                prepare_collections(store, encoder, advance, defaults)
        for name in sorted(defaults):
            collections[name] = opened.enter_context(store.open(name, encoder.fingerprint))
        yield encoder, collections
