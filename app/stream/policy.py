"""When speech is encoded again, and when it has come to an end. The figures are in docs/performance.md."""

from __future__ import annotations

from dataclasses import dataclass

from app.stream.speech import Speech

INTERVAL_S = 0.3
"""Between two answers, at least."""
REST = 2.0
"""After an answer that took long, a stream rests so many times as long: one speaker never has the encoder alone."""
LEAST_SPOKEN_S = 0.3
"""Shorter speech is not looked up yet: it would find anything."""
SILENCE_S = 1.0
"""So much silence after speech is its end. People pause for less within a phrase."""
SAME_S = 0.06
"""Ends of speech that are as near to each other are the same: more is heard, and the threshold moves a little."""


@dataclass(frozen=True)
class Heard:
    """What there is of a stream. speech: None where nothing stood out yet; audible: whether there is any sound."""

    seconds: float
    speech: Speech | None
    audible: bool

    @property
    def clip(self) -> Speech:
        """What is encoded: the speech and 400 ms around it; everything where there is none."""
        return Speech(0.0, self.seconds) if self.speech is None else self.speech.padded(self.seconds)

    @property
    def is_over(self) -> bool:
        """Whether the speaker has stopped."""
        return self.speech is not None and self.seconds - self.speech.end >= SILENCE_S


def pause_s(took_s: float) -> float:
    """Seconds to wait after an answer that took so long."""
    return max(INTERVAL_S - took_s, REST * took_s)


def is_worth_encoding(heard: Heard, encoded: Speech | None) -> bool:
    """Whether another answer may come of what was heard since `encoded` was.

    Once the speaker has been silent for as long as is kept of it, the clip grows no more, and nothing is encoded.
    """
    if heard.speech is None and not heard.audible:
        return False
    clip = heard.clip
    return clip.end - clip.start >= LEAST_SPOKEN_S and not (encoded and same(clip, encoded))


def same(one: Speech, other: Speech) -> bool:
    """Whether two clips differ by less than can be heard."""
    return abs(one.start - other.start) <= SAME_S and abs(one.end - other.end) <= SAME_S
