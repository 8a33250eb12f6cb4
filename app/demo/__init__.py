"""The default collections: Noto's drawings of the emoji, their names, and the vocabulary of keywords."""

from app.demo.collections import prepare_collections

__all__ = ["prepare_collections"]
