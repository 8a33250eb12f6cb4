"""When a call is tried again, and after which pause: decided here for both clients, without any input or output."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from speechclip_client.errors import (
    CollectionDamaged,
    DeadlineExceeded,
    OutOfTime,
    Refusal,
    ServiceUnreachable,
    SpeechClipError,
    Unavailable,
)

Clock = Callable[[], float]


@dataclass(frozen=True)
class Retries:
    """At most `tries` in all. Where the service names no pause, they double from `first_pause_s` on.

    Every pause is made up to a half longer by chance, so that many clients do not come back at the same moment.
    """

    tries: int = 5
    first_pause_s: float = 0.25
    longest_pause_s: float = 15.0

    def __post_init__(self) -> None:
        if self.tries < 1 or not 0 <= self.first_pause_s <= self.longest_pause_s:
            raise ValueError("tries must be at least 1, and 0 <= first_pause_s <= longest_pause_s")


class Attempts:
    """One call's tries, until its deadline.

    repeatable: whether the same request can be sent again. once: sent twice, it does not have the effect of one.
    """

    def __init__(
        self,
        retries: Retries,
        deadline_s: float,
        *,
        repeatable: bool,
        once: bool = False,
        clock: Clock = time.monotonic,
    ) -> None:
        self._retries, self._repeatable, self._once, self._clock = retries, repeatable, once, clock
        self._deadline_s, self._until = deadline_s, clock() + deadline_s
        self._tried = 0
        self.may_have_worked = False
        """An earlier try broke off after it was sent, so that what it asked for may have been done."""

    def left(self) -> float:
        """Seconds until the deadline; raises `OutOfTime`."""
        left = self._until - self._clock()
        if left <= 0:
            raise OutOfTime(f"there was no answer within {self._deadline_s:g} s")
        return left

    def pause_after(self, error: SpeechClipError) -> float:
        """Seconds to wait before the next try; raises the error where there is none."""
        self._tried += 1
        if self._tried >= self._retries.tries or not self._worth_another(error):
            raise error
        pause = self._pause(error)
        if self._clock() + pause >= self._until:
            raise error
        self.may_have_worked = self.may_have_worked or _may_have_worked(error)
        return pause

    def _worth_another(self, error: SpeechClipError) -> bool:
        match error:
            case CollectionDamaged() | DeadlineExceeded():
                return False  # nobody repairs it meanwhile; and what took too long would do so again
            case ServiceUnreachable() | Unavailable():
                return self._repeatable and not (self._once and _may_have_worked(error))
            case _:
                return False

    def _pause(self, error: SpeechClipError) -> float:
        asked = error.retry_after_s if isinstance(error, Refusal) else None
        doubled = min(self._retries.first_pause_s * 2.0 ** (self._tried - 1), self._retries.longest_pause_s)
        shortest = doubled if asked is None else max(asked, self._retries.first_pause_s)
        return shortest + random.uniform(0, min(shortest, self._retries.longest_pause_s) / 2)


def _may_have_worked(error: SpeechClipError) -> bool:
    """Whether the service may have done what was asked; a proxy's 502 and 504 do not tell."""
    match error:
        case ServiceUnreachable(sent=sent):
            return sent
        case Unavailable(status=status):
            return status in (502, 504)
        case _:
            return False
