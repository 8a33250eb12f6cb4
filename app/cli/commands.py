"""Every command of `speechclip`: what it is called, what it takes, and which function does it."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from app import collector
from app.cli.collection_commands import collections, items
from app.cli.errors import TOLD, CommandError, sentence
from app.cli.joined import joined_commands
from app.cli.options import Data, Json, Model
from app.version import service_version

MOST_RESULTS = 1000


class _Group(TyperGroup):
    """Tells every exception that was written for people as one sentence on stderr, with exit status 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except TOLD as error:
            typer.echo(f"Error: {sentence(error)}", err=True)
            raise typer.Exit(1) from None

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The program's own commands go first. Raises `CommandError` for one that a broken package may have."""
        if own := super().get_command(ctx, cmd_name):
            return own
        joined = joined_commands()
        if cmd_name not in joined.commands and joined.absent:
            raise CommandError(f"there is no command {cmd_name!r}; {'; '.join(joined.absent)}")
        return joined.commands.get(cmd_name)

    def list_commands(self, ctx: Any) -> list[str]:
        own = super().list_commands(ctx)
        return [*own, *(name for name in joined_commands().commands if name not in own)]


program = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help is quick help
    help="Spoken search: say what you are looking for, get the nearest images, captions and keywords.",
)
models = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="List, fetch, convert or describe models.")
program.add_typer(collections, name="collections")
program.add_typer(items, name="items")
program.add_typer(models, name="models")
keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make API keys.")
program.add_typer(keys, name="keys")

Registry = Annotated[Path | None, typer.Option(help="A file with published models beside those that are known.")]
Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 lets the system choose.")]
Query = Annotated[str, typer.Argument(help="An audio file, an image file, - for audio on stdin, or a text.")]
TopK = Annotated[int, typer.Option(min=1, max=MOST_RESULTS, help="How many results.")]
Branch = Annotated[
    Literal["parallel", "cascaded"] | None,
    typer.Option(help="Which branch of the model hears the audio; else its search branch."),
]
Sources = Annotated[
    list[Path],
    typer.Argument(
        help="Folders of images or recordings, such files, .txt with one text per line, tables in .csv, .tsv, .jsonl "
        "or .parquet, WebDataset .tar files, or a folder of embeddings that clip-retrieval wrote."
    ),
]
RecordKind = Annotated[
    Literal["images", "audio", "captions", "keywords"] | None,
    typer.Option("--kind", help="What the records are; else what the collection holds, or what the sources look like."),
]


def main() -> None:
    """The console script."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show an emoji is no reason to fail
    program(prog_name="speechclip")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"speechclip {service_version()}")
        raise typer.Exit


@program.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Every option of the program itself acts before this is called."""


@program.command()
def serve(
    model: Model = None,
    data: Data = None,
    host: Host = None,
    port: Port = None,
    decode_isolation: Annotated[
        bool | None,
        typer.Option("--decode-isolation/--no-decode-isolation", help="Decode files in processes of their own."),
    ] = None,
) -> None:
    """Serve the API and the page until stopped."""
    collector.pause()  # until the start is over, as the server sees
    from app.cli.local import settings_of
    from app.cli.terminal import progress_bar
    from app.server import serve
    from app.startup import READY

    settings = settings_of(model=model, data=data, host=host, port=port, decode_isolation=decode_isolation)
    with progress_bar(last=READY) as advance:
        serve(settings, advance)


@program.command()
def search(
    query: Query,
    collection: Annotated[str, typer.Option(help="The collection to search.")] = "images",
    top_k: TopK = 10,
    branch: Branch = None,
    words: Annotated[
        float, typer.Option(min=0, max=1, help="How much it counts that a record has the words that were heard.")
    ] = 0.0,
    where: Annotated[
        str | None,
        typer.Option("--filter", help='Only records of which it is true: {"metadata.price": {"lt": 20}}, say.'),
    ] = None,
    model: Model = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Find the records nearest to what is said, shown or typed. Needs no running service."""
    from app.cli.local import settings_of
    from app.cli.query import asked, search

    settings = settings_of(model=model, data=data)
    search(query, collection, branch, asked(top_k, words, where), settings, as_json)


@program.command()
def keywords(
    query: Query,
    top_k: TopK = 10,
    branch: Branch = None,
    model: Model = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Find the keywords nearest to what is said; it is not transcribed. Needs no running service.

    A model with keyword slots also tells which words were said when.
    """
    from app.cli.local import settings_of
    from app.cli.query import keywords

    keywords(query, top_k, branch, settings_of(model=model, data=data), as_json)


@program.command()
def index(
    collection: Annotated[str, typer.Argument(help="Its name; it is made if it is not there.")],
    sources: Sources,
    kind: RecordKind = None,
    media_root: Annotated[
        Path | None, typer.Option(help="The folder that the records' paths are relative to; else the sources' own.")
    ] = None,
    trust_vectors: Annotated[
        bool, typer.Option("--trust-vectors", help="Ready-made vectors were made by the model in use.")
    ] = False,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Where the work is done: here, or on a Ray cluster.")
    ] = "local",
    report: Annotated[
        Path | None, typer.Option(help="The file that lists what is skipped; else it is in the data folder.")
    ] = None,
    model: Model = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Put images, recordings, texts or vectors into a collection.

    What is there already is passed over, so a run that was cut off goes on where it stopped. What cannot be used is
    listed and skipped; the exit status is 1 then, and 130 after Ctrl-C.
    """
    from app.cli.indexing import Wish, index
    from app.cli.local import settings_of

    wish = Wish(kind, media_root, trust_vectors, engine, report)
    if status := index(collection, sources, wish, settings_of(model=model, data=data), as_json):
        raise typer.Exit(status)


@program.command()
def doctor(model: Model = None, data: Data = None, as_json: Json = False) -> None:
    """Look at the installation, the settings, the model, the collections and the ports, and say what to do.

    Nothing is changed, and the service may run meanwhile. The exit status is 1 where something has to be repaired.
    """
    from app.cli.doctor import doctor

    if status := doctor(model, data, as_json):
        raise typer.Exit(status)


@models.command("list")
def list_models(data: Data = None, registry: Registry = None, as_json: Json = False) -> None:
    """The models that ship with the project, those that were published, and which of them are here."""
    from app.cli.local import settings_of
    from app.cli.published import list_all

    list_all(settings_of(data=data, registry=registry), as_json)


@models.command("pull")
def pull_model(
    name: Annotated[str, typer.Argument(help="A published model, such as speechclip/parallel-base-flickr.")],
    data: Data = None,
    registry: Registry = None,
) -> None:
    """Download a published model and convert it; --model takes its name from then on. Prints its folder."""
    from app.cli.local import settings_of
    from app.cli.published import pull

    pull(name, settings_of(data=data, registry=registry))


@models.command("convert")
def convert_model(
    file: Annotated[Path, typer.Argument(help="A checkpoint in the layout of SpeechCLIP's or SpeechCLIP+'s authors.")],
    out: Annotated[Path, typer.Argument(help="The model folder to make; it must not be there yet.")],
    name: Annotated[str | None, typer.Option(help="What the model is called; else as its folder is.")] = None,
    as_json: Json = False,
) -> None:
    """Make a model folder of a checkpoint; --model takes it from then on. Nothing in the checkpoint is run."""
    from app.cli.convert import convert

    convert(file, out, name, as_json)


@models.command("info")
def describe_model(
    model: Annotated[
        str | None, typer.Argument(help="A shipped or pulled model, or a model folder; else the one in use.")
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """One model: its configuration, fingerprint, size, licence, and the beginning of its card."""
    from app.chosen import chosen_model
    from app.cli.local import settings_of
    from app.cli.models import info

    info(chosen_model(settings_of(model=model, data=data)), as_json)


@keys.command("new")
def new_key(
    name: Annotated[str, typer.Argument(help="What the log calls it.")],
    scope: Annotated[list[str], typer.Option(help="What it may be used for: search, write or admin; more than once.")],
    rate: Annotated[str | None, typer.Option(help="The most requests, as in 20/second.")] = None,
    file: Annotated[Path | None, typer.Option(help="Add it to this file, that of SPEECHCLIP_API_KEYS_FILE.")] = None,
) -> None:
    """Make an API key and print it, once; only its hash is kept."""
    from app.cli.keys import new

    new(name, scope, rate, file)
