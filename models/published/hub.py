"""Files from a hub through `huggingface_hub`: its cache, its environment variables, and its failures as ours."""

from __future__ import annotations

import errno
import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx2
from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    XetDownloadError,
)

from models.errors import AccessRefused, BrokenDownload, HubUnreachable, ModelGone, NoSpace, NotCached, PullError
from models.published.registry import PublishedModel

TRIES = 3  # the library goes on where a download broke off, but not after every kind of break
PAUSE_S = 1.0
_PATIENT = (httpx2.ConnectError, httpx2.TimeoutException)  # the library has had patience with these
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HASH_CHUNK = 1 << 20

OnBytes = Callable[[int, int], None]
"""Told (done, total) in bytes; a total of 0 is unknown."""


@dataclass(frozen=True)
class Offer:
    """What the hub says of a file. bytes: None where it does not tell; cached: it need not be downloaded."""

    bytes: int | None
    cached: bool


def cache_folder() -> Path:
    """Where downloads are kept: HF_HUB_CACHE."""
    return Path(constants.HF_HUB_CACHE)


def ask(model: PublishedModel) -> Offer:
    """Look for the file without downloading it. Raises `PullError`."""
    with _told(model):
        info = hf_hub_download(model.repository, model.file, dry_run=True)
        return Offer(info.file_size, info.is_cached)


def fetch(model: PublishedModel, on_bytes: OnBytes) -> Path:
    """The file in the hub's cache, downloaded if it is not there. Raises `PullError`."""
    for tries_left in reversed(range(TRIES)):
        try:
            with _told(model):
                path = Path(hf_hub_download(model.repository, model.file, tqdm_class=_bar(on_bytes)))
            _check(path)
            return path
        except (BrokenDownload, HubUnreachable) as error:
            if not tries_left or isinstance(error.__cause__, _PATIENT):
                raise
            time.sleep(PAUSE_S)
    raise AssertionError("unreachable: the last try returns or raises")


def _check(path: Path) -> None:
    """Compare a cached file with the SHA-256 that it is kept under; what differs is removed. Raises `BrokenDownload`.

    The library itself compares no more than the size, and would give the same damaged file for ever after.
    """
    blob = path.parent / path.readlink() if path.is_symlink() else path
    if not _SHA256.fullmatch(blob.name):
        return
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASH_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != blob.name:
        for kept in (path, blob, *_payload(path)):
            kept.unlink(missing_ok=True)
        raise BrokenDownload(f"{path.name} arrived damaged: its SHA-256 is not the one that the hub announced")


def _payload(path: Path) -> list[Path]:
    """Where the bytes are: what is kept by its hash may be a link to bytes that several repositories share.

    What somebody linked to outside the cache is not ours to remove.
    """
    payload = path.resolve()
    return [payload] if payload.is_relative_to(cache_folder().resolve()) else []


@contextmanager
def _told(model: PublishedModel) -> Iterator[None]:
    """Every failure of the library as a `PullError` with one sentence for people."""
    try:
        yield
    except (OSError, httpx2.HTTPError, XetDownloadError) as error:
        raise _error(model, error) from error
    except RuntimeError as error:  # all that the compiled part says of a transfer that failed
        raise BrokenDownload(f"{_what(model)} could not be downloaded: {error}") from error
    except (ImportError, ValueError, httpx2.InvalidURL) as error:  # proxies, addresses and tokens that are none
        raise HubUnreachable(
            f"{constants.ENDPOINT} cannot be asked: {error} (check HF_ENDPOINT, HF_TOKEN and the settings of proxies)"
        ) from error


def _error(model: PublishedModel, error: Exception) -> PullError:
    what, hub = _what(model), constants.ENDPOINT
    # Most of the library's errors are several of these at once: the narrow ones come first.
    match error:
        case GatedRepoError():
            return AccessRefused(
                f"{model.repository} is given only to those who accept its terms: do so at {hub}/{model.repository}, "
                "then set HF_TOKEN to a token of yours"
            )
        case RepositoryNotFoundError() | DisabledRepoError():
            return ModelGone(f"{hub} has no repository {model.repository}, or it is private and HF_TOKEN opens it not")
        case RemoteEntryNotFoundError() | RevisionNotFoundError():
            return ModelGone(f"{hub} has no {what}: it may have been moved or deleted")
        case LocalEntryNotFoundError(__cause__=OfflineModeIsEnabled()):
            return NotCached(f"{what} is not in {cache_folder()}, and HF_HUB_OFFLINE forbids to ask {hub}")
        case LocalEntryNotFoundError(__cause__=Exception() as cause):
            return _error(model, cause)
        case HfHubHTTPError(response=response):
            return _status(what, hub, response.status_code)
        case httpx2.ConnectError():
            return HubUnreachable(f"{hub} cannot be reached: {error}")
        case httpx2.TimeoutException():
            return HubUnreachable(f"{hub} does not answer in time")
        case httpx2.HTTPError() | XetDownloadError():
            return BrokenDownload(f"the download of {what} broke off: {error}")
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return NoSpace(f"the disk of {cache_folder()} is full")
        case OSError(errno=int()):
            return PullError(f"{what} cannot be kept in {cache_folder()}: {error.strerror}")
        case _:  # the library's comparison of sizes, and of answers with what a hub answers
            return _nonsense(what, hub, error)


def _status(what: str, hub: str, status: int) -> PullError:
    if status in (401, 403):
        return AccessRefused(f"{hub} does not give {what} to you (status {status}): check HF_TOKEN")
    if status == 404:
        return ModelGone(f"{hub} has no {what}: it may have been moved or deleted")
    return HubUnreachable(f"{hub} answers with status {status} for {what}: try again later")


def _nonsense(what: str, hub: str, error: Exception) -> PullError:
    if "Consistency check" in str(error):
        return BrokenDownload(f"{what} did not arrive in the size that {hub} announced")
    return HubUnreachable(f"{hub} does not answer as a hub does: {error}")


def _what(model: PublishedModel) -> str:
    return f"{model.file} in {model.repository}"


def _bar(on_bytes: OnBytes) -> type:
    """A class for the library to make its progress bar of; this one draws nothing and tells `on_bytes`."""

    class Bar:
        def __init__(self, total: int | None = None, initial: int = 0, **_: Any) -> None:
            self.total, self.n = total, initial

        def update(self, n: int | None = 1) -> None:
            self.n += n or 0
            on_bytes(self.n, self.total or 0)

        def update_transfer(self, n: int) -> None:
            """Bytes on the wire, beside those in the file: of no interest."""

        def set_postfix_str(self, *_: Any, **__: Any) -> None:
            """Rates: of no interest."""

        set_transfer_postfix_str = refresh = close = set_postfix_str

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self.close()

    return Bar
