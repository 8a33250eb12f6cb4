"""Checkpoints from a hub that behaves, and from hubs that do not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from huggingface_hub import constants

from models.errors import AccessRefused, BrokenDownload, HubUnreachable, ModelGone, NotCached, PullError
from models.folder import find_model
from models.published.hub import TRIES
from tests.fake_hub import Answer, FakeHub, point_to, unused_url
from tests.models.published.conftest import Pull, nothing_is_left
from tests.published_model import TINY


def test_odd_names_of_files_are_encoded(hub: FakeHub, pull_tiny: Pull) -> None:
    pull_tiny()

    encoded = "tiny/parallel%2B/epoch%3D1-step%3D2-val_recall_mean_10%3D3.4.ckpt"
    assert {one.path for one in hub.asked} == {f"/{TINY.repository}/resolve/main/{encoded}"}
    assert hub.count("GET") == 1


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


def test_the_library_is_asked_a_few_times_only(hub: FakeHub, pull_tiny: Pull) -> None:
    hub.always("GET", Answer(status=500))
    with pytest.raises(HubUnreachable):
        pull_tiny()

    assert hub.count("GET") == TRIES
