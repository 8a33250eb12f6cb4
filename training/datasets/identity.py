"""Numbers that name an image."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

ImageId = Annotated[int, Field(ge=0, lt=2**63, strict=True)]
"""Fits into a 64-bit tensor."""
