"""Which patch features of CLIP point at what was said: two drawings in one picture, one of them is asked for.

    python -m bench.pointing [--model nano] [--pairs 600] [--seed 0]

Every picture is a white square with two drawings of the gallery, each anywhere in its half. It is asked for one of
them, and a method is right where its hottest cell is in that drawing's half. Asked for by the drawing's name as text,
by its name as a person says it (where those recordings are), and by the drawing alone, which knows no words: what is
missed with that, the picture's side misses. Chance is 50 %. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from app.demo.collections import DRAWINGS, Drawing, lexicon
from app.query.explaining import Grid, covered
from models.clip import ImagePreprocessor, unit
from models.encoder import SpeechClipEncoder, load_encoder
from models.images import decode_image, looked_at, on_white
from training.nano.people import recordings, speech_folder

SIDE, DRAWN = 256, 104  # pixels of a picture, and of each drawing in it
Vectors = NDArray[np.float32]
Place = tuple[int, int]
"""left, top"""
Method = Callable[[SpeechClipEncoder, Sequence[Image.Image], Vectors], NDArray[np.float64]]
"""(encoder, pictures, vectors (B, E)) -> (B, R, C), the higher the more it is what was asked for"""


@dataclass(frozen=True)
class Pair:
    """Two drawings with their places, the one that is asked for, and in which half that is: 0 left, 1 right."""

    drawings: tuple[Drawing, Drawing]
    places: tuple[Place, Place]
    half: int

    @property
    def asked(self) -> Drawing:
        return self.drawings[self.half]

    def picture(self) -> Image.Image:
        canvas = Image.new("RGB", (SIDE, SIDE), "white")
        for place, drawing in zip(self.places, self.drawings, strict=True):
            canvas.paste(_drawn(drawing).resize((DRAWN, DRAWN)), place)
        return canvas


def last_tokens(encoder: SpeechClipEncoder, pictures: Sequence[Image.Image], vectors: Vectors) -> NDArray[np.float64]:
    """Cosines with the tower's own last patch tokens, projected as its class token is."""
    tower = encoder.network.clip.visual
    return _cosines(encoder, tower.transformer(_first_tokens(encoder, pictures)), vectors)


def values_only(encoder: SpeechClipEncoder, pictures: Sequence[Image.Image], vectors: Vectors) -> NDArray[np.float64]:
    """The same, but in the last layer every patch attends to itself alone, and keeps nothing of what it was."""
    *before, last = encoder.network.clip.visual.transformer.resblocks
    tokens = _first_tokens(encoder, pictures)
    for block in before:
        tokens = block(tokens)
    attention, width = last.attn, tokens.shape[-1]
    weight, bias = attention.in_proj_weight[2 * width :], attention.in_proj_bias[2 * width :]
    return _cosines(encoder, attention.out_proj(F.linear(last.ln_1(tokens), weight, bias)), vectors)


def covering(grid: Grid) -> Method:
    """What `/explain` does: how much is lost where a cover lies over a cell."""

    def method(encoder: SpeechClipEncoder, pictures: Sequence[Image.Image], vectors: Vectors) -> NDArray[np.float64]:
        found = []
        for picture, vector in zip(pictures, vectors, strict=True):
            small = looked_at(picture, encoder.image_size)
            shown = [small, *(covered(small, box) for box in grid.covers(small.size))]
            whole, *under = (encoder.embed_images(shown) @ vector).tolist()
            found.append(grid.drops(whole, under))
        return np.stack(found)

    return method


METHODS: Mapping[str, Method] = {
    "last tokens": last_tokens,
    "values only": values_only,
    **{
        f"covering {grid.cells}/{grid.cover}": covering(grid)
        for grid in (Grid(4, 2), Grid(6, 2), Grid(6, 3), Grid(8, 3))
    },
}


def pairs(drawings: Sequence[Drawing], count: int, seed: int) -> list[Pair]:
    """Different drawings that share no word, as often asked for on the left as on the right."""
    chance, made = random.Random(seed), list[Pair]()
    while len(made) < count:
        one, other = chance.sample(drawings, 2)
        if not {one.name, *one.keywords} & {other.name, *other.keywords}:
            left, right = _place(chance, 0), _place(chance, SIDE // 2)
            made.append(Pair((one, other), (left, right), len(made) % 2))
    return made


def share_right(method: Method, encoder: SpeechClipEncoder, made: Sequence[Pair], vectors: Vectors) -> float:
    """Of the pairs, of which `vectors` (N, E) ask for their drawings, those whose hottest cell is in the right half."""
    with torch.inference_mode():
        cells = method(encoder, [pair.picture() for pair in made], vectors)
    columns = cells.reshape(len(made), -1).argmax(1) % cells.shape[2]
    return float(np.mean((columns >= cells.shape[2] / 2) == np.array([pair.half for pair in made])))


def spoken(encoder: SpeechClipEncoder, made: Sequence[Drawing]) -> tuple[list[Drawing], Vectors]:
    """The drawings whose name a person says, and the vectors of that."""
    folder = speech_folder()
    said = {} if folder is None else {one.word: one for one in recordings(folder, "words")}
    known = [drawing for drawing in made if drawing.name in said]
    waves = [said[drawing.name].wave() for drawing in known]
    return known, encoder.embed_speech(waves).vectors


def table(encoder: SpeechClipEncoder, count: int, seed: int) -> str:
    """The share of each method for each way of asking, in per cent."""
    everything = lexicon()
    people, voices = spoken(encoder, everything)
    whole, few = pairs(everything, count, seed), pairs(people, count, seed) if people else []
    of_person = dict(zip((drawing.id for drawing in people), voices, strict=True))
    asked = {
        "name, typed": (whole, encoder.embed_texts([pair.asked.name for pair in whole])),
        "name, said by a person": (few, np.array([of_person[pair.asked.id] for pair in few])),
        "the drawing": (whole, encoder.embed_images([_drawn(pair.asked) for pair in whole])),
    }
    lines = [f"| asked for by | {' | '.join(METHODS)} |", "|---|" + "---|" * len(METHODS)]
    for name, (made, vectors) in asked.items():
        if made:
            shares = [100 * share_right(method, encoder, made, vectors) for method in METHODS.values()]
            lines.append(f"| {name} | {' | '.join(f'{share:.1f}' for share in shares)} |")
    return "\n".join(lines)


def _first_tokens(encoder: SpeechClipEncoder, pictures: Sequence[Image.Image]) -> Tensor:
    tokens: Tensor = encoder.network.clip.visual._embeds(ImagePreprocessor(encoder.config.clip.vision)(pictures))
    return tokens


def _cosines(encoder: SpeechClipEncoder, tokens: Tensor, vectors: Vectors) -> NDArray[np.float64]:
    """(B, 1 + patches, width) tokens, of which the first is the class -> (B, rows, columns)"""
    tower = encoder.network.clip.visual
    patches = unit(tower.ln_post(tokens)[:, 1:] @ tower.proj)
    cosines: NDArray[np.float64] = np.einsum("bpe,be->bp", patches.numpy().astype(np.float64), vectors)
    return cosines.reshape(len(vectors), *tower.grid_size)


def _place(chance: random.Random, left: int) -> Place:
    return left + chance.randrange(SIDE // 2 - DRAWN), chance.randrange(SIDE - DRAWN)


def _drawn(drawing: Drawing) -> Image.Image:
    return on_white(decode_image((DRAWINGS / f"{drawing.id}.webp").read_bytes())[0])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", default="nano")
    options.add_argument("--pairs", type=int, default=600)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    print(table(load_encoder(given.model), given.pairs, given.seed))


if __name__ == "__main__":
    main()
