"""What an evaluation is refused for; the message is for whoever asked for it."""

from __future__ import annotations

from training.errors import NotReady


class EvaluationError(NotReady):
    """The model or the service cannot be evaluated on this data set, or not in the way that was asked for."""
