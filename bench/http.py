"""Whole queries over HTTP, beside the bare encoder and beside services that would do the same in another way."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from bench.full_size import model_folder
from bench.gallery import make_collections
from bench.load import Answer, Client, closed_loop
from bench.measure import Spread
from bench.report import Report
from bench.service import Service
from bench.sounds import WAV, Sound, mixed, sound
from models.audio import decode
from models.encoder import SpeechClipEncoder, load_encoder
from models.lanes import share_cores

PATH = "/search/images"
SOUNDS = 56
CLIENTS = (1, 4, 16, 64)
WARM_UP_S = 1.0
STAGES = ("decode", "queue", "encode", "search", "total")


def run(model: str, rounds: int, seed: int, each_s: float) -> Report:
    report = Report("whole queries over HTTP", {"model": model, "rounds": rounds, "seed": seed, "seconds each": each_s})
    share_cores()
    sounds = mixed(SOUNDS, seed)
    with TemporaryDirectory() as folder, ExitStack() as running:
        model = model_folder(model, Path(folder) / "model", seed)
        encoder = load_encoder(model)
        services = {name: running.enter_context(one) for name, one in _contenders(model, Path(folder), seed).items()}
        for service in services.values():
            _load(service, sounds, max(CLIENTS), WARM_UP_S)
        ours = services["this service"]
        asked = sound(3.0, WAV, np.random.default_rng(seed))
        report.add("One client, 3 s of wav", beside_the_encoder(ours, encoder, asked, 30 * rounds))
        report.add("Mixed files, many clients", under_load(services, sounds, rounds, each_s))
        report.add("64 clients and the encoder alone", beside_the_best(ours, encoder, sounds, rounds, each_s))
    return report


def _contenders(model: str, folder: Path, seed: int) -> dict[str, Service]:
    cores = str(os.cpu_count())
    wanted: dict[str, tuple[str | None, dict[str, str]]] = {
        "this service": (None, {}),
        "batching off, all cores on one query": (None, {"OMP_NUM_THREADS": cores}),
        "batches of up to 8, all cores on each": ("batches", {"OMP_NUM_THREADS": cores}),
        "recognition first, at the least": ("recognition", {}),
    }
    services = {}
    for number, (name, (variant, environment)) in enumerate(wanted.items()):
        make_collections(data := folder / str(number), model, seed)
        services[name] = Service(model, data, variant, **environment)
    return services


def beside_the_encoder(service: Service, encoder: SpeechClipEncoder, asked: Sound, times: int) -> list[dict[str, Any]]:
    """Question and bare call by turns, each alone on the machine, as far as the machine is ours."""
    wave = decode(asked.data).samples
    whole, bare, bare_cpu, decode_cpu = list[Answer](), list[float](), list[float](), list[float]()
    before = service.cpu_s()
    with asyncio.Runner() as runner:
        client = Client(service.port, PATH)
        for _ in range(times):
            whole.append(runner.run(client.ask(asked)))
            wall, cpu = _timed(lambda: encoder.embed_speech([wave]))
            bare.append(wall)
            bare_cpu.append(cpu)
            decode_cpu.append(_timed(lambda: decode(asked.data))[1])
        client.close()
    service_cpu = (service.cpu_s() - before) / times
    inside = [one.body["timings_ms"] for one in whole]
    worked = [one["decode"] + one["encode"] + one["search"] for one in inside]
    search = float(np.median([one["search"] for one in inside]))
    around = [1000 * one.took_s - work for one, work in zip(whole, worked, strict=True)]
    own_cpu = 1000 * (service_cpu - np.median(bare_cpu) - np.median(decode_cpu)) - search
    return [
        {"": "whole query", "wall ms": _ms([one.took_s for one in whole]), "CPU ms": 1000 * service_cpu},
        {"": "bare encoder call", "wall ms": _ms(bare), "CPU ms": 1000 * float(np.median(bare_cpu))},
        {"": "decoding alone", "CPU ms": 1000 * float(np.median(decode_cpu))},
        {"": "search, as told", "wall ms": search},
        {"": "outside of decoding, encoding and search", "wall ms": Spread.of(around), "CPU ms": float(own_cpu)},
        {
            "": "whole query / bare call",
            "wall ms": float(np.median([one.took_s for one in whole]) / np.median(bare)),
            "CPU ms": float(service_cpu / np.median(bare_cpu)),
        },
    ]


def under_load(
    services: dict[str, Service], sounds: Sequence[Sound], rounds: int, each_s: float
) -> list[dict[str, Any]]:
    """Every service with every number of clients, forwards and backwards by turns."""
    seen: dict[tuple[int, str], list[tuple[list[Answer], float]]] = {}
    for number in range(rounds):
        for clients in CLIENTS:
            order = list(services) if number % 2 == 0 else list(reversed(services))
            for name in order:
                seen.setdefault((clients, name), []).append(_load(services[name], sounds, clients, each_s))
    return [_row(clients, name, seen[clients, name], each_s) for clients in CLIENTS for name in services]


def _load(service: Service, sounds: Sequence[Sound], clients: int, for_s: float) -> tuple[list[Answer], float]:
    """The answers, and the CPU seconds that the service took for them."""
    before = service.cpu_s()
    answers = asyncio.run(closed_loop(service.port, PATH, sounds, clients, for_s))
    return answers, service.cpu_s() - before


def _row(clients: int, name: str, rounds: Sequence[tuple[list[Answer], float]], each_s: float) -> dict[str, Any]:
    answers = [answer for found, _ in rounds for answer in found]
    good = [answer for answer in answers if answer.status == 200]
    took = 1000 * np.array([answer.took_s for answer in good])
    stages = {stage: float(np.mean([one.body["timings_ms"][stage] for one in good])) for stage in STAGES[:-1]}
    return {
        "clients": clients,
        "": name,
        "queries/s": Spread.of([rate(found) for found, _ in rounds]),
        "audio s/s": Spread.of([rate(found, lambda one: one.seconds) for found, _ in rounds]),
        **{f"p{part} ms": float(np.percentile(took, part)) for part in (50, 95, 99)},
        **{f"{stage} ms": value for stage, value in stages.items()},
        "CPU ms": 1000 * sum(cpu for _, cpu in rounds) / len(good),
        "refused or failed": by_status(answers, 200),
    }


def rate(answers: Sequence[Answer], worth: Callable[[Answer], float] = lambda _: 1.0) -> float:
    """Of good answers, every second from the first question to the last answer."""
    good = [answer for answer in answers if answer.status == 200]
    begun, ended = min(one.began_s for one in good), max(one.began_s + one.took_s for one in good)
    return sum(worth(one) for one in good) / (ended - begun)


def by_status(answers: Sequence[Answer], *fine: int) -> str:
    """How often each status came that is none of these; 0 is a connection that broke."""
    wrong = Counter(one.status for one in answers if one.status not in fine)
    return ", ".join(f"{count} x {status}" for status, count in wrong.items()) or "none"


def beside_the_best(
    service: Service, encoder: SpeechClipEncoder, sounds: Sequence[Sound], rounds: int, each_s: float
) -> list[dict[str, Any]]:
    """Queries of 64 clients, and calls of the encoder from as many threads as it has lanes, by turns.

    The encoder is given waveforms, and then the files, which any service has to decode.
    """
    waves = [decode(one.data).samples for one in sounds]
    works: dict[str, Callable[[int], object]] = {
        "the encoder alone": lambda number: encoder.embed_speech([waves[number]]),
        "decoding and the encoder": lambda number: encoder.embed_speech([decode(sounds[number].data).samples]),
    }
    served, rates = list[tuple[float, float]](), {name: list[tuple[float, float]]() for name in works}
    for _ in range(rounds):
        answers, cpu = _load(service, sounds, max(CLIENTS), each_s)
        served.append((rate(answers), cpu / len(answers)))
        for name, work in works.items():
            rates[name].append(in_lanes(work, len(sounds), encoder.lanes, each_s))
    rows = [_rates("this service", served)]
    for name, alone in rates.items():
        ratio = [(ours[0] / best[0], best[1] / ours[1]) for ours, best in zip(served, alone, strict=True)]
        rows.append(_rates(name, alone))
        share, cpu_share = (Spread.of(part) for part in zip(*ratio, strict=True))
        rows.append({"": f"share of {name}", "queries/s": share, "CPU ms": cpu_share})
    return rows


def _rates(name: str, found: Sequence[tuple[float, float]]) -> dict[str, Any]:
    return {"": name, "queries/s": Spread.of([one for one, _ in found]), "CPU ms": _ms([cpu for _, cpu in found])}


def in_lanes(work: Callable[[int], object], kinds: int, lanes: int, for_s: float) -> tuple[float, float]:
    """How many pieces of work so many threads do in a second, in about `for_s`, and the CPU seconds of each."""
    started, cpu, counts = time.perf_counter(), time.process_time(), [0] * lanes

    def lane(number: int) -> None:
        while time.perf_counter() < started + for_s:
            work((number + counts[number] * lanes) % kinds)
            counts[number] += 1

    threads = [threading.Thread(target=lane, args=(number,)) for number in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = sum(counts)
    return done / (time.perf_counter() - started), (time.process_time() - cpu) / done


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall seconds, and CPU seconds of this thread."""
    wall, cpu = time.perf_counter(), time.thread_time()
    work()
    return time.perf_counter() - wall, time.thread_time() - cpu


def _ms(seconds: Sequence[float]) -> Spread:
    return Spread.of([1000 * second for second in seconds])
