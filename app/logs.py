"""The log: one line per event on stderr, ``key=value`` after the message, nothing of what people said or typed."""

from __future__ import annotations

import json
import logging
import re
import sys

PLAIN = re.compile(r"[\w./:+-]+", re.ASCII)
OWN_LOGGERS = ("app", "models", "index")
USUAL_FIELDS = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


class LineFormatter(logging.Formatter):
    """Time, level, logger, message, and the extra fields, quoted where they could be mistaken for something else."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        extra = {name: value for name, value in record.__dict__.items() if name not in USUAL_FIELDS}
        return " ".join([super().formatMessage(record), *(f"{name}={_value(value)}" for name, value in extra.items())])


def configure_logging(level: str) -> None:
    """Called once, by the process that serves; a program that embeds the application keeps its own logging."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # It warns of every malformed form, which anybody can send; the access log has their problem's code.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    for name in OWN_LOGGERS:
        logging.getLogger(name).setLevel(level.upper())


def _value(value: object) -> str:
    text = str(value)
    return text if PLAIN.fullmatch(text) else json.dumps(text)
