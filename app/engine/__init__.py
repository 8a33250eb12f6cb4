"""The encoder's threads, and the queue in front of them."""

from app.engine.engine import BROKEN, MOST_FAILURES, Engine
from app.engine.jobs import Encoded, Payload, Task

__all__ = ["BROKEN", "MOST_FAILURES", "Encoded", "Engine", "Payload", "Task"]
