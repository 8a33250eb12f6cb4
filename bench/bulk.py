"""Filling collections: images and texts in a second, beside the same networks as they come."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from bench import full_size
from bench.measure import Contender, Spread, compare
from bench.report import Report
from models.clip import ImagePreprocessor, Tokenizer
from models.folder import ModelFolder

_CAPTION = "a dog runs over the grass with a red ball in its mouth"


def bulk(models: Sequence[str], batch: int, rounds: int, seed: int, threads: int) -> Report:
    """One table for each model: a batch of images, and one of captions."""
    torch.set_num_threads(threads)
    settings = {"models": list(models), "batch": batch, "rounds": rounds, "seed": seed, "threads": threads}
    report = Report("Filling collections", settings)
    for name in models:
        rows = []
        for what, ours, theirs in _contenders(full_size.model(name, seed), batch, seed):
            found = compare(ours, [theirs], rounds)
            for series, ratio in ((found.candidate, None), (found.rivals[0], found.ratio())):
                second = Spread.of([batch / cpu for cpu in series.cpu_s])
                rows.append({"what": what, **series.row(), "a CPU second": second, "ratio": ratio})
        report.add(name, rows)
    return report


def _contenders(folder: ModelFolder, batch: int, seed: int) -> list[tuple[str, Contender, Contender]]:
    encoder, network, clip = full_size.encoder(folder), folder.load(), folder.config.clip
    chance = np.random.default_rng(seed)
    images = [Image.fromarray(chance.integers(0, 255, (240, 320, 3), np.uint8)) for _ in range(batch)]
    pixels, tokens = ImagePreprocessor(clip.vision), Tokenizer(clip.text.vocab_size, clip.text.context_length)
    texts = [_CAPTION] * batch

    @torch.inference_mode()
    def see() -> torch.Tensor:
        found: torch.Tensor = network.clip.encode_image(pixels(images))
        return found

    @torch.inference_mode()
    def read() -> torch.Tensor:
        found: torch.Tensor = network.clip.encode_text(tokens(texts))
        return found

    return [
        ("images", Contender("encoder", lambda: encoder.embed_images(images)), Contender("open_clip", see)),
        ("captions", Contender("encoder", lambda: encoder.embed_texts(texts)), Contender("open_clip", read)),
    ]
