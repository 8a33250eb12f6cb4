"""The service as rivals would have it starts and answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.gallery import make_collections
from bench.http import PATH
from bench.load import Answer, Client
from bench.served import VARIANTS
from bench.service import Service
from bench.sounds import Sound, mixed
from tests.fake_encoder import FakeEncoder
from tests.tiny_model import save_tiny_model


async def asked(port: int, sounds: Sequence[Sound]) -> list[Answer]:
    """One after the other."""
    client = Client(port, PATH)
    answers = [await client.ask(one) for one in sounds]
    client.close()
    return answers


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_is_served(tmp_path: Path, variant: str) -> None:
    model = str(save_tiny_model(tmp_path / "model"))
    make_collections(tmp_path / "data", model, seed=0)

    with Service(model, tmp_path / "data", variant) as service:
        answers = asyncio.run(asked(service.port, mixed(2, seed=1)))

    assert [answer.status for answer in answers] == [200] * 2
    found = {tuple(result["id"] for result in answer.body["results"]) for answer in answers}
    # Who has recognised speech searches with its text, and here that is always the same.
    assert (len(found) == 1) is (variant == "recognition")


def test_an_encoder_that_is_to_batch_says_so() -> None:
    encoder = FakeEncoder()
    encoder.batched = False

    assert VARIANTS["batches"](encoder).batched
