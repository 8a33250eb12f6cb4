"""The spoken corpus, shard by shard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.audio import SAMPLE_RATE
from tests.training.fake_voices import Broken, Hum, Mumble, tone, use_voices
from training.nano.lexicon import Lexicon
from training.nano.speech import (
    MAX_S,
    MIN_S,
    SINGLE_WORD_WEIGHT,
    make_corpus,
    make_shard,
    phrase_weights,
    read_shard,
)
from training.nano.voices import trim


@pytest.fixture(autouse=True)
def humming(monkeypatch: pytest.MonkeyPatch) -> None:
    use_voices(monkeypatch, hum=Hum)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_shard_holds_each_utterance_end_to_end(packages: Path, lexicon: Lexicon, tmp_path: Path) -> None:
    samples, rows = read_shard(make_shard(packages, tmp_path, 1, 40))

    assert len(rows) == 40
    assert samples.dtype == np.int16
    assert [row.start for row in rows] == [0, *np.cumsum([row.length for row in rows])[:-1]]
    assert len(samples) == sum(row.length for row in rows)
    for row in rows:
        assert row.phrase in lexicon.members
        assert row.voice == "hum/plain"
        spoken = trim(tone(row.phrase, row.length / SAMPLE_RATE))
        heard = samples[row.start : row.start + row.length] / 32_767
        np.testing.assert_allclose(heard[: len(spoken)], spoken[: len(heard)], atol=1e-3)


def test_the_same_shard_made_twice_is_the_same_bytes(packages: Path, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        make_shard(packages, tmp_path / folder, 7, 20)

    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_every_shard_is_another(packages: Path, tmp_path: Path) -> None:
    _, one = read_shard(make_shard(packages, tmp_path, 1, 20))
    _, two = read_shard(make_shard(packages, tmp_path, 2, 20))

    assert one != two


def test_a_finished_shard_is_left_alone(packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_shard(packages, tmp_path, 1, 20)
    before = content(tmp_path)
    use_voices(monkeypatch, broken=Broken)
    make_shard(packages, tmp_path, 1, 20)

    assert content(tmp_path) == before


def test_a_shard_that_broke_off_while_it_was_spoken_leaves_nothing(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_voices(monkeypatch, hum=Hum, broken=Broken)

    with pytest.raises(OSError, match="no voice left"):
        make_shard(packages, tmp_path, 1, 20)
    assert content(tmp_path) == {}


@pytest.mark.parametrize("left_over", [{"00001.npy": b"\x93NUMPY"}, {"00001.npy": b"", "00001.partial": b'[{"phr'}])
def test_a_half_written_shard_is_made_anew(left_over: dict[str, bytes], packages: Path, tmp_path: Path) -> None:
    make_shard(packages, tmp_path / "whole", 1, 20)
    (tmp_path / "killed").mkdir()
    for name, data in left_over.items():
        (tmp_path / "killed" / name).write_bytes(data)
    make_shard(packages, tmp_path / "killed", 1, 20)

    assert content(tmp_path / "killed") == content(tmp_path / "whole")


def test_what_cannot_be_heard_or_takes_too_long_is_left_out(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_voices(monkeypatch, hum=Hum, mumble=Mumble)
    _, rows = read_shard(make_shard(packages, tmp_path, 1, 40))

    assert 0 < len(rows) < 40
    assert {row.voice for row in rows} == {"hum/plain"}
    assert all(MIN_S * SAMPLE_RATE <= row.length <= MAX_S * SAMPLE_RATE for row in rows)


def test_a_shard_may_come_out_empty(packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_voices(monkeypatch, mumble=Mumble)
    samples, rows = read_shard(make_shard(packages, tmp_path, 1, 5))

    assert (len(samples), rows) == (0, [])


def test_single_words_are_said_more_often(lexicon: Lexicon) -> None:
    weights = dict(zip(lexicon.phrases, phrase_weights(lexicon), strict=True))

    assert weights["dog"] == SINGLE_WORD_WEIGHT * weights["dog face"]


# From Python 3.12 on, a fork beside other threads is warned of; torch has some.
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_corpus_is_made_by_several_processes_and_goes_on_where_it_stopped(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.nano.speech.make_shard", short_shard)
    make_shard(packages, tmp_path, 2, 3)
    done = list(make_corpus(packages, tmp_path, range(1, 4), workers=2))

    assert [path.name for path in done] == ["00001.json", "00002.json", "00003.json"]
    assert [len(read_shard(path)[1]) for path in done] == [5, 3, 5]


def short_shard(packages: Path, out: Path, number: int) -> Path:
    return make_shard(packages, out, number, 5)
