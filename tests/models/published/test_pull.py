"""Published models brought here from a hub that behaves, and from hubs that do not."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import constants

from models.errors import (
    AccessRefused,
    BrokenDownload,
    CheckpointError,
    HubUnreachable,
    ModelGone,
    NoSpace,
    NotCached,
    PullError,
    UnexpectedModel,
    UnknownModel,
)
from models.folder import find_model
from models.published import hub as hub_module
from models.published.pull import ASKING, CONVERTING, DOWNLOADING, WAITING, WORK, pull
from models.published.registry import PublishedModel, Registry
from tests.fake_hub import Answer, FakeHub, fake_hub, point_to, unused_url
from tests.patience import wait_until
from tests.published_model import TINY, write_checkpoint

Pull = Callable[..., Path]
MARGIN = 2 << 20  # bytes, for the small files of a model folder

Steps = list[tuple[str, int, int]]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny.ckpt")


@pytest.fixture
def hub(checkpoint: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub that has the tiny model."""
    with fake_hub(monkeypatch, tmp_path / "cache") as hub:
        hub.put(TINY, checkpoint)
        yield hub


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def steps() -> Steps:
    return []


@pytest.fixture
def pull_tiny(models: Path, steps: Steps) -> Pull:
    def run(model: PublishedModel = TINY, **changes: object) -> Path:
        changed = model.model_copy(update=changes)
        return pull(TINY.name, models, Registry({TINY.name: changed}), lambda *step: steps.append(step))

    return run


def nothing_is_left(models: Path) -> bool:
    """Neither a model nor a piece of one; the file of the lock stays."""
    return [path.name for path in models.rglob("*") if path.is_file()] in ([], ["lock"])


def test_a_pulled_model_is_a_model(hub: FakeHub, models: Path, pull_tiny: Pull) -> None:
    path = pull_tiny()

    assert path == models / TINY.name
    folder = find_model(str(path))
    assert folder.config.name == TINY.name
    assert folder.config.audio.hidden_size == TINY.hidden_size
    folder.load()
    assert [file.name for file in (models / WORK).rglob("*") if file.is_file()] == ["lock"]


def test_odd_names_of_files_are_encoded(hub: FakeHub, pull_tiny: Pull) -> None:
    pull_tiny()

    encoded = "tiny/parallel%2B/epoch%3D1-step%3D2-val_recall_mean_10%3D3.4.ckpt"
    assert {one.path for one in hub.asked} == {f"/{TINY.repository}/resolve/main/{encoded}"}
    assert hub.count("GET") == 1


def test_progress_is_told(hub: FakeHub, checkpoint: bytes, pull_tiny: Pull, steps: Steps) -> None:
    pull_tiny()

    names = [step for step, _, _ in steps]
    assert list(dict.fromkeys(names)) == [ASKING, DOWNLOADING, CONVERTING]
    downloads = [(done, total) for step, done, total in steps if step == DOWNLOADING]
    assert downloads[-1] == (len(checkpoint), len(checkpoint))
    assert downloads == sorted(downloads)


def test_what_is_here_is_not_asked_for(hub: FakeHub, pull_tiny: Pull, steps: Steps) -> None:
    first = pull_tiny()
    hub.asked.clear()
    steps.clear()

    assert pull_tiny() == first
    assert (hub.asked, steps) == ([], [])


def test_what_is_cached_is_not_downloaded_again(hub: FakeHub, pull_tiny: Pull) -> None:
    shutil.rmtree(pull_tiny())

    assert pull_tiny().is_dir()
    assert hub.count("GET") == 1


def test_what_is_cached_needs_no_hub(hub: FakeHub, pull_tiny: Pull, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(pull_tiny())
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.asked.clear()

    assert pull_tiny().is_dir()
    assert hub.asked == []


def test_the_token_is_sent(hub: FakeHub, pull_tiny: Pull, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_tiny")
    pull_tiny()

    assert {one.authorization for one in hub.asked} == {"Bearer hf_tiny"}


def test_a_download_that_breaks_off_goes_on_where_it_was(hub: FakeHub, checkpoint: bytes, pull_tiny: Pull) -> None:
    hub.plan("GET", Answer(cut=5000), Answer(cut=3000))

    find_model(str(pull_tiny())).load()
    # What had not filled a chunk of the library's is asked for again.
    ranges = [one.range for one in hub.asked if one.method == "GET"]
    assert ranges == [None, "bytes=4096-", "bytes=6144-"]


@pytest.mark.parametrize(
    "answers",
    [
        [Answer(cut=5000, reset=True)],
        [Answer(status=500), Answer(status=503)],
        [Answer(slow=True), Answer(slow=True)],
        [Answer(cut=0)],
    ],
    ids=["torn down", "errors of the hub", "a slow first byte", "nothing at all"],
)
def test_trouble_that_passes_is_outlasted(hub: FakeHub, pull_tiny: Pull, answers: list[Answer]) -> None:
    hub.plan("GET", *answers)

    find_model(str(pull_tiny())).load()


def test_a_hub_that_starts_late_is_waited_for(hub: FakeHub, pull_tiny: Pull) -> None:
    hub.plan("HEAD", Answer(status=500), Answer(status=502), Answer(slow=True))

    find_model(str(pull_tiny())).load()


@pytest.mark.parametrize(
    ("method", "answer", "error", "told"),
    [
        ("HEAD", Answer(status=404, code="EntryNotFound"), ModelGone, f"has no {TINY.file} in {TINY.repository}"),
        ("HEAD", Answer(status=404, code="RepoNotFound"), ModelGone, f"has no repository {TINY.repository}"),
        ("HEAD", Answer(status=404, code="RevisionNotFound"), ModelGone, "moved or deleted"),
        ("HEAD", Answer(status=404), ModelGone, "moved or deleted"),
        ("HEAD", Answer(status=401), AccessRefused, "HF_TOKEN"),
        ("HEAD", Answer(status=401, code="RepoNotFound"), ModelGone, "or it is private"),
        ("HEAD", Answer(status=403, code="GatedRepo"), AccessRefused, "accept its terms"),
        ("HEAD", Answer(status=403), AccessRefused, "status 403"),
        ("HEAD", Answer(status=500), HubUnreachable, "status 500"),
        ("HEAD", Answer(status=418), HubUnreachable, "status 418"),
        ("HEAD", Answer(slow=True), HubUnreachable, "does not answer in time"),
        ("HEAD", Answer(headers=False), HubUnreachable, "does not answer as a hub does"),
        ("GET", Answer(status=404), ModelGone, "moved or deleted"),
        ("GET", Answer(status=403), AccessRefused, "status 403"),
        ("GET", Answer(status=500), HubUnreachable, "try again later"),
        ("GET", Answer(slow=True), HubUnreachable, "does not answer in time"),
        ("GET", Answer(cut=0), BrokenDownload, "broke off"),
        ("GET", Answer(cut=0, reset=True), BrokenDownload, "broke off"),
        ("GET", Answer(cut=5000, size=5000), BrokenDownload, "in the size that"),
        ("GET", Answer(size=10**9), BrokenDownload, "broke off"),
    ],
)
def test_trouble_that_stays_is_told_in_one_sentence(
    hub: FakeHub, models: Path, pull_tiny: Pull, method: str, answer: Answer, error: type[PullError], told: str
) -> None:
    hub.always(method, answer)

    with pytest.raises(PullError) as caught:
        pull_tiny()
    assert type(caught.value) is error
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert nothing_is_left(models)


def test_a_hub_that_announces_another_size_is_not_believed(hub: FakeHub, checkpoint: bytes, pull_tiny: Pull) -> None:
    hub.always("HEAD", Answer(size=len(checkpoint) - 7))

    with pytest.raises(BrokenDownload, match="in the size that"):
        pull_tiny()


def test_nobody_listens(hub: FakeHub, models: Path, pull_tiny: Pull, monkeypatch: pytest.MonkeyPatch) -> None:
    point_to(url := unused_url(), monkeypatch)

    with pytest.raises(HubUnreachable, match=f"{url} cannot be reached"):
        pull_tiny()
    assert nothing_is_left(models)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("HTTP_PROXY", "socks5://127.0.0.1:1", "socksio"),
        ("HTTP_PROXY", "http://127.0.0.1:bad", "Invalid port"),
        ("HTTP_PROXY", "odd://127.0.0.1:1", "Unknown scheme"),
        ("HF_TOKEN", "ключ", "codec can't encode"),
    ],
)
def test_settings_that_make_no_sense_are_told_in_one_sentence(
    hub: FakeHub, models: Path, pull_tiny: Pull, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv(name, value)

    with pytest.raises(HubUnreachable, match=f"^{hub.url} cannot be asked: .*{told}.*check HF_ENDPOINT"):
        pull_tiny()
    assert (hub.asked, nothing_is_left(models)) == ([], True)


def test_offline_and_not_cached(hub: FakeHub, pull_tiny: Pull, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    with pytest.raises(NotCached, match="HF_HUB_OFFLINE forbids"):
        pull_tiny()
    assert hub.asked == []


def test_an_unknown_name_asks_nobody(hub: FakeHub, models: Path) -> None:
    with pytest.raises(UnknownModel, match="did you mean somebody/parallel-tiny"):
        pull("somebody/paralel-tiny", models, Registry({TINY.name: TINY}))
    assert (hub.asked, models.exists()) == ([], False)


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"PK\x03\x04" + bytes(5000)], ids=["empty", "a page", "half a zip"]
)
def test_garbage_in_place_of_a_checkpoint(hub: FakeHub, models: Path, pull_tiny: Pull, content: bytes) -> None:
    hub.put(TINY, content)

    with pytest.raises(CheckpointError, match=f"^{TINY.repository} has something at"):
        pull_tiny()
    assert nothing_is_left(models)


def test_a_damaged_download_is_not_kept(hub: FakeHub, checkpoint: bytes, pull_tiny: Pull) -> None:
    damaged = bytes([*checkpoint[:-100], *bytes(100)])
    hub.put(TINY, damaged, announced=checkpoint)
    with pytest.raises(BrokenDownload, match="SHA-256"):
        pull_tiny()

    hub.put(TINY, checkpoint)
    find_model(str(pull_tiny())).load()


def damage_shared(cache: Path, shared: Path) -> Path:
    """The one blob in the cache, as a link to bytes that are kept elsewhere, which are damaged. The damaged file."""
    (blob,) = (path for path in cache.glob("models--*/blobs/*") if path.is_file())
    shared.mkdir(parents=True)
    payload = blob.rename(shared / "f00d")
    blob.symlink_to(payload)
    payload.write_bytes(bytes(payload.stat().st_size))
    return payload


def test_damaged_bytes_that_repositories_share_are_not_kept(hub: FakeHub, tmp_path: Path, pull_tiny: Pull) -> None:
    shutil.rmtree(pull_tiny())
    payload = damage_shared(tmp_path / "cache", tmp_path / "cache" / "blobs" / "f0")

    find_model(str(pull_tiny())).load()
    assert not payload.exists()
    assert hub.count("GET") == 2


def test_what_somebody_linked_to_elsewhere_stays(hub: FakeHub, tmp_path: Path, pull_tiny: Pull) -> None:
    shutil.rmtree(pull_tiny())
    payload = damage_shared(tmp_path / "cache", tmp_path / "mine")

    find_model(str(pull_tiny())).load()
    assert payload.exists()


@pytest.mark.parametrize(
    "wrong", [{"branch": "cascaded"}, {"embedding_size": 512}, {"hidden_size": 768}, {"layers": 12}], ids=str
)
def test_another_model_than_expected_is_refused(
    hub: FakeHub, models: Path, pull_tiny: Pull, wrong: dict[str, object]
) -> None:
    (what, expected) = next(iter(wrong.items()))

    with pytest.raises(UnexpectedModel, match=rf"has {what} \w+, which should be {expected}"):
        pull_tiny(**wrong)
    assert nothing_is_left(models)


def test_a_full_disk_is_found_before_the_download(
    hub: FakeHub, checkpoint: bytes, pull_tiny: Pull, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 2 * len(checkpoint) - 1  # the checkpoint and the model are on one disk
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))

    with pytest.raises(NoSpace, match="GiB are needed"):
        pull_tiny()
    assert hub.count("GET") == 0


def test_a_cached_checkpoint_needs_room_once(
    hub: FakeHub, checkpoint: bytes, pull_tiny: Pull, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(pull_tiny())
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=len(checkpoint) + MARGIN))

    assert pull_tiny().is_dir()


def test_the_disk_of_the_models_refuses(hub: FakeHub, models: Path, pull_tiny: Pull) -> None:
    models.write_bytes(b"a file")

    with pytest.raises(PullError, match="cannot be stored in"):
        pull_tiny()


def test_the_disk_of_the_cache_refuses(hub: FakeHub, tmp_path: Path, pull_tiny: Pull) -> None:
    (tmp_path / "cache").write_bytes(b"a file")

    with pytest.raises(PullError, match="cannot be kept in"):
        pull_tiny()


def test_a_broken_model_in_its_place_is_not_touched(hub: FakeHub, models: Path, pull_tiny: Pull) -> None:
    (models / TINY.name).mkdir(parents=True)
    (models / TINY.name / "config.json").write_text("mine")

    with pytest.raises(PullError, match="is in the way"):
        pull_tiny()
    assert (models / TINY.name / "config.json").read_text() == "mine"
    assert hub.asked == []


def test_what_a_killed_pull_left_is_cleared(hub: FakeHub, models: Path, pull_tiny: Pull) -> None:
    (models / WORK / TINY.name / "new").mkdir(parents=True)
    (models / WORK / TINY.name / "new" / "model.safetensors").write_bytes(bytes(10))
    (models / WORK / TINY.name / "piece").write_bytes(bytes(10))
    pull_tiny()

    assert [file.name for file in (models / WORK).rglob("*") if file.is_file()] == ["lock"]


def test_two_pulls_at_once_take_turns(hub: FakeHub, pull_tiny: Pull, steps: Steps) -> None:
    both = threading.Event()
    hub.plan("HEAD", Answer(held=both))
    found = list[Path]()
    threads = [threading.Thread(target=lambda: found.append(pull_tiny())) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_until(lambda: WAITING in [step for step, _, _ in steps])
    both.set()
    for thread in threads:
        thread.join()

    assert len(found) == 2
    assert len(set(found)) == 1
    assert hub.count("GET") == 1


def test_the_library_is_asked_a_few_times_only(hub: FakeHub, pull_tiny: Pull) -> None:
    hub.always("GET", Answer(status=500))
    with pytest.raises(HubUnreachable):
        pull_tiny()

    assert hub.count("GET") == hub_module.TRIES
