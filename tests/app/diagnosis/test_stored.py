"""Collections that are no files; test_cli_doctor has those that are."""

from __future__ import annotations

import pytest

from app.diagnosis import stored
from app.settings import Settings
from tests.app.diagnosis.told import told


@pytest.mark.parametrize(
    ("store", "level", "words"),
    [
        ("milvus://127.0.0.1:9", "fail", "does not answer"),
        ("milvus-lite", "ok", "is not opened"),
    ],
)
def test_collections_elsewhere(settings: Settings, store: str, level: str, words: str) -> None:
    assert words in told(stored.check_collections(settings.model_copy(update={"store": store})), level)


def test_a_server_of_collections_needs_its_package(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "find_spec", lambda name: None)
    elsewhere = settings.model_copy(update={"store": "milvus://127.0.0.1:9"})

    assert "[milvus]" in told(stored.check_collections(elsewhere), "fail")
