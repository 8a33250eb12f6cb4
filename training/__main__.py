"""`python -m training`: every step of nano's training, each of which goes on where it was cut off."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from training.errors import NotReady
from training.nano.average import average
from training.nano.gallery import write_gallery
from training.nano.lexicon import fetch_packages
from training.nano.recipe import Recipe
from training.nano.speech import make_corpus
from training.nano.voices import missing_programs
from training.nano.workshop import Workshop
from training.told import told

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)

Work = Annotated[Path, typer.Option("--work", help="Where everything is kept.")]
DEFAULT_WORK = Path("work/nano")


@app.command()
def fetch(work: Work = DEFAULT_WORK) -> None:
    """Download the drawings and their names (npm packages)."""
    fetch_packages(_workshop(work).packages)


@app.command()
def speak(work: Work = DEFAULT_WORK, shards: int = 40, workers: int = os.cpu_count() or 1) -> None:
    """Synthesise speech: 2,000 utterances a shard."""
    if missing := missing_programs():
        raise NotReady(f"install first: {', '.join(missing)}")
    shop = _workshop(work)
    for done in make_corpus(shop.packages, shop.speech, range(1, shards + 1), workers):
        print(done, flush=True)


@app.command()
def clip(work: Work = DEFAULT_WORK) -> None:
    """Stage 1: train the small CLIP on drawings and phrases."""
    _workshop(work).train_clip()


@app.command()
def read(work: Work = DEFAULT_WORK) -> None:
    """Stage 2: CLIP's text tower goes on alone, the image tower frozen."""
    _workshop(work).read()


@app.command()
def scenes(work: Work = DEFAULT_WORK) -> None:
    """Stage 3: CLIP goes on with scenes."""
    _workshop(work).scenes()


@app.command()
def listen(work: Work = DEFAULT_WORK) -> None:
    """Stage 4: train the audio encoder on phonemes."""
    _workshop(work).listen()


@app.command()
def align(work: Work = DEFAULT_WORK) -> None:
    """Stage 5: train the head on speech-image pairs, the audio encoder frozen."""
    _workshop(work).align()


@app.command()
def tune(work: Work = DEFAULT_WORK) -> None:
    """Stage 6: train the whole speech side on speech-image pairs."""
    _workshop(work).tune()


@app.command()
def again(model: str, out: Path, work: Work = DEFAULT_WORK) -> None:
    """Go on tuning from MODEL, a folder or a shipped one, with the speech there is, to the model folder OUT."""
    _workshop(work).again(model, out)


@app.command()
def between(
    model: str, other: str, out: Path, share: Annotated[float, typer.Option(min=0, max=1, help="Of OTHER.")] = 0.5
) -> None:
    """Average the weights of MODEL and of OTHER, which goes on from it, to the model folder OUT."""
    average(model, other, share, out)


@app.command()
def export(out: Path, card: Path, work: Work = DEFAULT_WORK) -> None:
    """Write the model folder OUT with the model card CARD."""
    try:
        text = card.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotReady(f"the model card {card} cannot be read: {getattr(error, 'strerror', error)}") from error
    _workshop(work).export(out, text)


@app.command()
def gallery(out: Path = Path("app/demo"), work: Work = DEFAULT_WORK) -> None:
    """Write the drawings and names of the default collections."""
    shop = _workshop(work)
    print(write_gallery(shop.packages, out, shop.lexicon), "drawings")


@app.command()
def evaluate(model: str = "nano", work: Work = DEFAULT_WORK) -> None:
    """The figures of the model card."""
    print(json.dumps({title: asdict(recall) for title, recall in _workshop(work).evaluate(model).items()}, indent=2))


def _workshop(work: Path) -> Workshop:
    return Workshop(work, Recipe())


def main() -> None:
    with told():
        app()


if __name__ == "__main__":
    main()
