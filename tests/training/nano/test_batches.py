"""Batches of augmented utterances."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.fake_voices import Hum, Wave, use_voices
from training.nano.batches import (
    MAX_SECONDS,
    PAD_TO,
    POOL_BATCHES,
    Batch,
    BatchStream,
    Source,
    SpokenCorpus,
    stream,
    synthetic,
)
from training.nano.speech import Utterance, make_shard, read_shard


def corpus_of(*phrases: str, samples: Sequence[int]) -> SpokenCorpus:
    """Two sources; each utterance is of one value, that of its place in the corpus."""
    half = len(phrases) // 2
    return SpokenCorpus([source(phrases[:half], samples[:half], 1), source(phrases[half:], samples[half:], 1 + half)])


def source(phrases: Sequence[str], lengths: Sequence[int], first: int) -> Source:
    waves = [np.full(length, 1_000 * (first + n) % 32_000, np.int16) for n, length in enumerate(lengths)]
    starts = np.cumsum([0, *lengths])
    return np.concatenate(waves), [
        Utterance(phrase, "hum/plain", int(start), length)
        for phrase, start, length in zip(phrases, starts, lengths, strict=False)
    ]


@pytest.fixture
def corpus() -> SpokenCorpus:
    return corpus_of("dog", "cat", "dog", "bee", samples=[3_000, 4_000, 9_000, 5_000])


def plain(wave: Wave, rng: np.random.Generator, babble: Wave | None = None) -> Wave:
    return wave


def first(corpus: SpokenCorpus, count: int, size: int = 4, seed: int = 0) -> list[Batch]:
    return list(islice(BatchStream(corpus, size, seed), count))


def test_a_corpus_numbers_its_phrases_and_finds_every_utterance(corpus: SpokenCorpus) -> None:
    assert corpus.phrases == ["bee", "cat", "dog"]
    assert corpus.rows[:, 0].tolist() == [2, 1, 2, 0]
    assert corpus.engines.tolist() == ["hum"] * 4
    for row, length in enumerate([3_000, 4_000, 9_000, 5_000]):
        wave = corpus.wave(row)
        assert wave.dtype == np.float32
        assert wave.tolist() == [np.float32(1_000 * (row + 1) / 32_768)] * length


def test_an_empty_corpus_has_no_rows() -> None:
    empty = SpokenCorpus([(np.zeros(0, np.int16), [])])

    assert empty.rows.shape == (0, 3)
    assert empty.phrases == []


def test_finished_shards_are_sources(packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_voices(monkeypatch, hum=Hum)
    indexes = [make_shard(packages, tmp_path, number, 5) for number in (2, 1)]
    (tmp_path / "00003.npy").write_bytes(b"half written")
    found = SpokenCorpus(synthetic(tmp_path))

    assert len(found.rows) == 10
    samples, rows = read_shard(indexes[1])
    assert found.phrases[found.rows[4, 0]] == rows[4].phrase
    expected = samples[rows[4].start : rows[4].start + rows[4].length]
    assert np.array_equal(found.wave(4), (expected / np.float32(32_768)).astype(np.float32))


def test_a_batch_is_padded_with_zeros_to_a_round_length(corpus: SpokenCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.nano.batches.augment", plain)
    for batch in first(corpus, 24):
        size, longest = batch.waves.shape
        assert size == len(batch.lengths) == len(batch.phrases) == 4
        assert longest % PAD_TO == 0
        assert longest - PAD_TO < int(batch.lengths.max()) <= longest
        for wave, length in zip(batch.waves, batch.lengths.tolist(), strict=True):
            assert wave[:length].all()
            assert not wave[length:].any()


def test_a_phrase_is_that_of_its_wave(corpus: SpokenCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.nano.batches.augment", plain)
    for batch in first(corpus, 24):
        rows = (batch.waves[:, 0] * 32_768 / 1_000).round().long() - 1
        assert corpus.rows[rows, 0].tolist() == batch.phrases.tolist()
        assert corpus.rows[rows, 2].tolist() == batch.lengths.tolist()


def test_utterances_of_like_length_are_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.nano.batches.augment", plain)
    lengths = list(range(1_000, 21_000, 100))
    corpus = corpus_of(*["word"] * len(lengths), samples=lengths)
    spreads = [int(batch.lengths.max() - batch.lengths.min()) for batch in first(corpus, POOL_BATCHES, size=8)]

    assert np.mean(spreads) < 20_000 / POOL_BATCHES * 1.5


def test_what_is_augmented_beyond_the_longest_is_cut(corpus: SpokenCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.nano.batches.augment", lambda wave, rng, babble: np.ones(100_000, np.float32))
    (batch,) = first(corpus, 1)

    assert batch.lengths.tolist() == [int(MAX_SECONDS * 16_000)] * 4


def test_the_same_seed_gives_the_same_batches_and_another_others(corpus: SpokenCorpus) -> None:
    one, same, other = (first(corpus, 3, seed=seed) for seed in (1, 1, 2))

    for left, right in zip(one, same, strict=True):
        assert torch.equal(left.waves, right.waves)
        assert torch.equal(left.phrases, right.phrases)
    assert not all(torch.equal(a.lengths, b.lengths) for a, b in zip(one, other, strict=True))


def test_an_utterance_is_augmented_anew_each_time(corpus: SpokenCorpus) -> None:
    only_dog = corpus_of("dog", "dog", samples=[4_000, 4_000])
    lengths = {int(length) for batch in first(only_dog, 4) for length in batch.lengths}

    assert len(lengths) > 10


def test_weights_say_how_often_each_utterance_comes(corpus: SpokenCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.nano.batches.augment", plain)
    weights = np.array([1.0, 3.0, 0.0, 6.0])
    batches = islice(BatchStream(corpus, 50, 0, weights), 2 * POOL_BATCHES)
    counts = Counter(int(length) for batch in batches for length in batch.lengths)
    total = counts.total()

    assert 9_000 not in counts
    for length, weight in zip((3_000, 4_000, 5_000), (1, 3, 6), strict=True):
        assert counts[length] / total == pytest.approx(weight / 10, abs=0.05)


def test_without_weights_all_come_equally_often(corpus: SpokenCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.nano.batches.augment", plain)
    counts = Counter(int(length) for batch in first(corpus, 2 * POOL_BATCHES, size=50) for length in batch.lengths)

    assert all(count / counts.total() == pytest.approx(0.25, abs=0.05) for count in counts.values())


# From Python 3.12 on, a fork beside other threads is warned of; torch has some.
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_another_process_makes_the_same_batches(corpus: SpokenCorpus) -> None:
    made = list(islice(stream(BatchStream(corpus, 4, seed=3)), 3))

    for here, there in zip(first(corpus, 3, seed=3), made, strict=True):
        assert torch.equal(here.waves, there.waves)
        assert torch.equal(here.lengths, there.lengths)
        assert torch.equal(here.phrases, there.phrases)
