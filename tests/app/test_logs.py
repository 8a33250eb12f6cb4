"""One line per event."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from app.logs import LineFormatter, configure_logging


def line(message: str, **extra: object) -> str:
    record = logging.makeLogRecord({"name": "app.test", "levelname": "INFO", "msg": message, **extra})
    return LineFormatter().format(record)


def test_extra_fields_follow_the_message() -> None:
    assert line("request", method="GET", ms=1.5).endswith(" INFO app.test request method=GET ms=1.5")


def test_a_value_cannot_pretend_to_be_a_line_or_a_field() -> None:
    written = line("request", path="/a\nERROR app fake", other="x y=1")

    assert "\n" not in written
    assert 'path="/a\\nERROR app fake" other="x y=1"' in written


@pytest.fixture
def _logging_put_back() -> Iterator[None]:
    root, own = logging.getLogger(), [logging.getLogger(name) for name in ("app", "models", "index")]
    before = root.handlers[:], root.level, [one.level for one in own]
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    for logger, level in zip(own, before[2], strict=True):
        logger.setLevel(level)


@pytest.mark.usefixtures("_logging_put_back")
def test_our_own_loggers_speak_and_others_only_of_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    logging.getLogger("app.some").info("ours")
    logging.getLogger("somebody.else").info("theirs")
    logging.getLogger("somebody.else").warning("trouble")

    written = capsys.readouterr().err
    assert "ours" in written
    assert "theirs" not in written
    assert "trouble" in written
