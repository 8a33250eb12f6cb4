"""`speechclip train`, `speechclip evaluate` and `speechclip data`: commands that join the program by an entry point.

Only what `--help` needs is imported before a command runs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from training.datasets.cli import app as data_commands
from training.published.command import train
from training.scenes.command import scenes

if TYPE_CHECKING:
    from training.evaluation.evaluation import Evaluation, Question

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=__doc__)
app.add_typer(data_commands, name="data")
data_commands.command()(scenes)
app.command()(train)

WORK = Path("work/evaluation")


@app.callback()
def _training() -> None:
    """A group, whatever the number of its commands."""


@app.command()
def evaluate(
    kind: Annotated[str, typer.Option("--dataset", help="The layout of the data set, as for `data check`.")],
    root: Annotated[Path, typer.Option(help="Its folder; for a manifest or a WebDataset also one file.")],
    model: Annotated[
        str | None, typer.Option(help="A shipped or pulled model, or a model folder; nano by default.")
    ] = None,
    split: Annotated[str, typer.Option(help="Which part of it.")] = "test",
    branch: Annotated[
        Literal["parallel", "cascaded"] | None,
        typer.Option(help="Which branch hears; else the model's own for search."),
    ] = None,
    protocol: Annotated[
        Literal["service", "official"],
        typer.Option(help="service: as the service embeds. official: the authors' batches of 8 or 6."),
    ] = "service",
    url: Annotated[str | None, typer.Option(help="Evaluate a running service, such as http://127.0.0.1:8000.")] = None,
    as_json: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write curves and confusions to this folder.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many utterances.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, max=1024, help="Utterances at a time.")] = None,
    data: Annotated[
        Path | None, typer.Option(envvar="SPEECHCLIP_DATA", help="The folder that holds pulled models.")
    ] = None,
    work: Annotated[Path, typer.Option(help="Where vectors are kept, so that nothing is embedded twice.")] = WORK,
    registry: Annotated[
        Path | None,
        typer.Option(envvar="SPEECHCLIP_REGISTRY", help="A file with published models beside those that are known."),
    ] = None,
) -> None:
    """Measure a model on spoken captions and their images: retrieval, keywords and speed, as a table in Markdown.

    A run that was cut off goes on where it stopped. Needs no running service, unless it is one that is evaluated.
    """
    from models.published.shelf import default_data, models_below
    from training.evaluation.evaluation import Question

    models = models_below(data or default_data())
    question = Question(kind, root, split, model, url, branch, protocol, limit, batch, models, work, registry)
    _tell(_evaluated(question), as_json, report)


def _evaluated(question: Question) -> Evaluation:
    from training.errors import NotReady
    from training.evaluation.evaluation import evaluate
    from training.evaluation.progress import progress_bar

    try:
        with progress_bar() as advance:
            return evaluate(question, advance)
    except NotReady as error:
        raise _refused(str(error)) from None


def _tell(evaluation: Evaluation, as_json: Path | None, report: Path | None) -> None:
    from training.evaluation.blocks import to_markdown
    from training.evaluation.facts import facts
    from training.evaluation.report import write_report, write_text
    from training.evaluation.tables import tables

    typer.echo(to_markdown(tables(evaluation)), nl=False)
    try:
        if as_json is not None:
            write_text(as_json, json.dumps(facts(evaluation), indent=2) + "\n")
        if report is not None:
            typer.echo(f"The report is {write_report(evaluation, report)}.", err=True)
    except OSError as error:
        raise _refused(f"{error.filename} cannot be written: {error.strerror}") from None


def _refused(reason: str) -> typer.Exit:
    typer.echo(f"Error: {' '.join(reason.split())}", err=True)
    return typer.Exit(1)
