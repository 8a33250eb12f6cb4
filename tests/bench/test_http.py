"""That a query over HTTP has not become much dearer than the encoder's work in it: a ratio within one run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from app.main import create_app
from app.settings import Settings
from bench.gallery import make_collections
from bench.http import PATH
from bench.load import Answer, Client
from bench.measure import Contender, compare
from bench.sounds import WAV, sound
from models.audio import decode
from models.encoder import load_encoder
from models.lanes import share_cores
from tests.browser import serving

QUERIES = 10
LIMIT = 4.0
"""Of what takes 1.5 times the encoder's CPU time where it was measured; here the client's is counted, too."""


def test_a_query_takes_few_times_the_encoder_alone(tmp_path: Path) -> None:
    share_cores()
    encoder, asked = load_encoder("nano"), sound(3.0, WAV, np.random.default_rng(0))
    wave, answers = decode(asked.data).samples, list[Answer]()
    make_collections(tmp_path, "nano", seed=0)

    with serving(create_app(Settings(data=tmp_path), encoder)) as url, asyncio.Runner() as runner:
        client = Client(urlsplit(url).port or 0, PATH)
        bare = Contender("bare calls", lambda: [encoder.embed_speech([wave]) for _ in range(QUERIES)])
        whole = Contender("queries", lambda: answers.extend(runner.run(client.ask(asked)) for _ in range(QUERIES)))
        assert any(compare(bare, [whole], rounds=5).ratio().median < LIMIT for _ in range(5))
        client.close()

    assert {answer.status for answer in answers} == {200}
