"""Which patch features of CLIP point at what was said: two drawings in one picture, one of them is asked for.

    python -m bench.pointing [--model nano] [--pairs 600] [--seed 0]

Every picture is a white square with two drawings of the gallery side by side. It is asked for one of them, and a method
is right where its hottest cell is in that drawing's half. Asked for by the drawing's name as text, by its name as a
person says it (where those recordings are), and by the drawing alone, which knows no words: what is missed with that,
the picture's side misses. Chance is 50 %. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from app.demo.collections import DRAWINGS, Drawing, lexicon
from models.clip import ImagePreprocessor, on_white, unit
from models.encoder import SpeechClipEncoder, load_encoder
from models.images import decode_image
from models.patches import last_tokens, value_tokens
from training.people import recordings, speech_folder

SIDE = 256  # pixels of a picture; a drawing takes half of it
Vectors = NDArray[np.float32]
Method = Callable[[SpeechClipEncoder, Tensor, Tensor], Tensor]
"""(encoder, pixels (B, 3, H, H), vectors (B, E)) -> (B, R, C), the higher the more it is what was asked for"""


@dataclass(frozen=True)
class Pair:
    """Two drawings, the one that is asked for, and in which half that is: 0 left, 1 right."""

    drawings: tuple[Drawing, Drawing]
    half: int

    @property
    def asked(self) -> Drawing:
        return self.drawings[self.half]

    def picture(self) -> Image.Image:
        canvas = Image.new("RGB", (SIDE, SIDE), "white")
        for place, drawing in enumerate(self.drawings):
            canvas.paste(_drawn(drawing).resize((SIDE // 2, SIDE // 2)), (place * SIDE // 2, SIDE // 4))
        return canvas


def plain(encoder: SpeechClipEncoder, pixels: Tensor, vectors: Tensor) -> Tensor:
    """The tower's own last tokens."""
    return _cosines(last_tokens(encoder.network.clip.visual, pixels), vectors)


def values(encoder: SpeechClipEncoder, pixels: Tensor, vectors: Tensor) -> Tensor:
    """The last layer's values alone: every patch keeps to itself."""
    return _cosines(value_tokens(encoder.network.clip.visual, pixels), vectors)


def hiding(encoder: SpeechClipEncoder, pixels: Tensor, vectors: Tensor) -> Tensor:
    """How much nearer the picture is with a cell than without it: one more picture for each cell."""
    patch, size = encoder.config.clip.vision.patch_size, pixels.shape[-1]
    side, white = size // patch, pixels.amax(dim=(0, 2, 3), keepdim=True)
    whole = (encoder.network.embed_images(pixels) * vectors).sum(-1)
    losses = torch.empty(len(pixels), side, side)
    for row in range(side):
        for column in range(side):
            hidden = pixels.clone()
            cell = hidden[:, :, row * patch : (row + 1) * patch, column * patch : (column + 1) * patch]
            cell.copy_(white.expand_as(cell))
            losses[:, row, column] = whole - (encoder.network.embed_images(hidden) * vectors).sum(-1)
    return losses


METHODS: Mapping[str, Method] = {"last tokens": plain, "values only": values, "hiding a cell": hiding}


def pairs(drawings: Sequence[Drawing], count: int, seed: int) -> list[Pair]:
    """Different drawings that share no word, as often asked for on the left as on the right."""
    chance, made = random.Random(seed), list[Pair]()
    while len(made) < count:
        one, other = chance.sample(drawings, 2)
        if not {one.name, *one.keywords} & {other.name, *other.keywords}:
            made.append(Pair((one, other), len(made) % 2))
    return made


def share_right(method: Method, encoder: SpeechClipEncoder, made: Sequence[Pair], vectors: Vectors) -> float:
    """Of the pairs, of which `vectors` (N, E) ask for their drawings, those whose hottest cell is in the right half."""
    pixels = ImagePreprocessor(encoder.config.clip.vision)([pair.picture() for pair in made])
    with torch.inference_mode():
        cells = method(encoder, pixels.to(encoder.device), torch.from_numpy(vectors).to(encoder.device)).cpu()
    columns = cells.flatten(1).argmax(1) % cells.shape[2]
    halves = (columns >= cells.shape[2] / 2).long()
    return float((halves == torch.tensor([pair.half for pair in made])).float().mean())


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


def _cosines(features: Tensor, vectors: Tensor) -> Tensor:
    return torch.einsum("brce,be->brc", unit(features), vectors)


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
