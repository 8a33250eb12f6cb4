"""Corpora of spoken captions and their images: readers that say what is missing before anything is trained on them."""

from training.datasets.dataset import Dataset, Pair
from training.datasets.registry import KINDS, open_dataset
from training.datasets.sources import Source

__all__ = ["KINDS", "Dataset", "Pair", "Source", "open_dataset"]
