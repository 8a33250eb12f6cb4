"""What a service answers, as far as an evaluation reads it."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from models.config import Branch


class Model(BaseModel):
    name: str
    fingerprint: str
    precision: str
    dim: int = Field(gt=0)
    branches: Sequence[Branch]


class Info(BaseModel):
    model: Model | None


class Query(BaseModel):
    seconds: float | None


class Answering(BaseModel):
    """The model of an answer; revision: the first characters of its fingerprint."""

    name: str
    revision: str = Field(min_length=1)


class Embedded(BaseModel):
    vector: Sequence[float]
    query: Query
    model: Answering
