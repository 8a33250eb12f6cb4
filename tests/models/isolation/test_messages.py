"""Answers that no decoder gives are nonsense, whatever is in them."""

from __future__ import annotations

import pytest

from models.isolation.messages import NONSENSE, head_of, image_of


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b'{"refused": "AudioError"}',
        b'{"refused": "SystemExit", "reason": "none of ours"}',
        b'{"refused": [], "reason": ""}',
        b'{"size": [1e999, 1], "mode": "L", "format": "png"}',
        b'{"size": [-1, 1], "mode": "L", "format": "png"}',
        b'{"size": [1, 1], "mode": "X", "format": "png"}',
        b'{"size": [1, 1], "mode": "L"}',
        b'{"size": [1, 1], "mode": "L", "format": "png", "transparent": 1e999}',
        b'{"size": [1, 1], "mode": "L", "format": "png", "transparent": {}}',
        b'{"size": [1, 1], "mode": "P", "format": "png", "palette": []}',
        b'{"size": [1, 1], "mode": "P", "format": "png", "palette": ["RGB", 7]}',
    ],
)
def test_an_answer_that_makes_no_sense_is_known_for_it(answer: bytes) -> None:
    with pytest.raises(NONSENSE):
        image_of(head_of(answer), bytearray(1))
