"""The service with `--decode-isolation`: what breaks a decoder is one refused request."""

from __future__ import annotations

import base64
import os
import signal
import threading
from functools import partial
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from models.isolation.decoder import IsolatedDecoder
from models.isolation.limits import Limits
from tests.app.conftest import MakeClient
from tests.app.problems import assert_problem
from tests.app.test_server import Process
from tests.fake_encoder import drawn, spoken
from tests.image_files import saved
from tests.patience import WAIT_S, wait_until

ODD = ("-m", "tests.models.isolation.odd_worker")
AUDIO = {"Content-Type": "audio/wav"}


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoders in which some files do what no file should."""
    made = partial(IsolatedDecoder, limits=Limits(wall_s=1.0), program=ODD)
    monkeypatch.setattr("app.state.IsolatedDecoder", made)


def test_queries_are_answered_as_without(make_client: MakeClient) -> None:
    answers = []
    for isolation in (False, True):
        with make_client(decode_isolation=isolation) as client:
            heard = client.post("/search/images", content=spoken("dog"), headers=AUDIO).json()
            shown = client.post("/embed", files={"image": drawn("cat")}).json()
            refused = client.post("/embed", content=b"nothing", headers=AUDIO).json()
            answers.append((heard["query"], heard["results"], shown["query"], shown["vector"], refused["detail"]))

    assert answers[0] == answers[1]


@pytest.mark.usefixtures("odd")
def test_a_file_that_breaks_its_decoder_is_refused_and_others_are_answered(make_client: MakeClient) -> None:
    with make_client(decode_isolation=True) as client:
        for word in ("CRASH", "SLEEP"):
            problem = assert_problem(
                client.post("/embed", content=word.encode(), headers=AUDIO), 422, "decoding_stopped"
            )
            assert problem["detail"].startswith("decoding these bytes was stopped: ")
        for _ in range(3):
            assert client.post("/embed", content=spoken("dog"), headers=AUDIO).status_code == 200
        assert 'speechclip_refusals_total{code="decoding_stopped"} 2.0' in client.get("/metrics").text


@pytest.mark.usefixtures("odd")
def test_of_a_batch_the_item_that_breaks_its_decoder_is_named(make_client: MakeClient) -> None:
    items = [{"audio": {"data": base64.b64encode(data).decode()}} for data in (spoken("dog"), b"CRASH")]
    with make_client(decode_isolation=True) as client:
        assert client.put("/collections/sounds", json={"kind": "audio"}).status_code == 201
        answer = client.post("/collections/sounds/items", json={"items": items})

    problem = assert_problem(answer, 422, "decoding_stopped")
    assert [one["field"] for one in problem["errors"]] == ["items.1.audio"]


def test_without_a_process_to_decode_in_it_is_unavailable(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.state.IsolatedDecoder", partial(IsolatedDecoder, program=("-c", "raise SystemExit(1)")))
    with make_client(decode_isolation=True) as client:
        assert_problem(client.post("/embed", files={"image": drawn("cat")}), 503, "no_decoder")
        # A plain WAV needs no decoder.
        assert client.post("/embed", content=spoken("dog"), headers=AUDIO).status_code == 200
        assert client.post("/embed", json={"text": "dog"}).status_code == 200


def children(process: Process) -> list[int]:
    pid = process.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def ticks(pid: int) -> int:
    """Of processor time that the process has used."""
    return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))


def test_what_is_being_decoded_is_answered_also_when_every_process_is_told_to_stop(tmp_path: Path) -> None:
    """As a service manager tells them."""
    process = Process(tmp_path, SPEECHCLIP_DECODE_ISOLATION="true")
    decoders = children(process)
    answers: list[httpx2.Response] = []
    large = saved(Image.new("RGB", (6000, 6000), (200, 30, 30)), "PNG")
    with httpx2.Client(base_url=process.url, timeout=WAIT_S) as http:
        http.post("/embed", files={"image": drawn("dog")})
        asking = threading.Thread(target=lambda: answers.append(http.post("/embed", files={"image": large})))
        used = sum(map(ticks, decoders))
        asking.start()
        wait_until(lambda: sum(map(ticks, decoders)) > used + 2)  # it is in the midst of it
        for pid in [process.process.pid, *decoders]:
            os.kill(pid, signal.SIGTERM)
        asking.join(WAIT_S)

    assert len(decoders) == 2
    assert answers[0].status_code == 200
    assert process.end() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in decoders)
    assert "Traceback" not in "".join(process.log)
