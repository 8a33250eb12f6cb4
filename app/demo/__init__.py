"""The default collections: Noto's drawings of the emoji, their names, and the vocabulary of keywords."""

from app.demo.collections import DEFAULTS, is_default, prepare_collections

__all__ = ["DEFAULTS", "is_default", "prepare_collections"]
