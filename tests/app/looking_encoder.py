"""A fake that looks: it sees dogs and cats by their colours, as much of each as there is of it in a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.fake_encoder import WORDS, FakeEncoder

DOG, CAT = (WORDS[word][1] for word in ("dog", "cat"))


class LookingEncoder(FakeEncoder):
    """Its vector of a picture is the sum of those of what is in it, by their shares of the pixels."""

    def embed_images(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        self.batches.append(("image", len(images)))
        return np.stack([self._seen(np.asarray(image.convert("RGB"))) for image in images])

    def _seen(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        shares = [float((pixels == np.array(colour)).all(axis=2).mean()) for colour in (DOG, CAT)]
        vector = shares[0] * self.vector("dog") + shares[1] * self.vector("cat") + 0.01 * self.vector("nothing")
        return np.asarray(vector / np.linalg.norm(vector), np.float32)


def pair(side: int, margin: int = 0) -> Image.Image:
    """A dog in the left half of a square and a cat in the right one, with a white margin on the left and the right."""
    picture = Image.new("RGB", (side + 2 * margin, side), "white")
    picture.paste(DOG, (margin, 0, margin + side // 2, side))
    picture.paste(CAT, (margin + side // 2, 0, margin + side, side))
    return picture
