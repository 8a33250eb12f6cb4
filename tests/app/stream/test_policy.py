"""When speech is encoded again."""

from __future__ import annotations

import pytest

from app.stream.policy import Heard, is_worth_encoding, pause_s
from app.stream.speech import Speech


def test_an_answer_that_took_long_is_followed_by_a_longer_rest() -> None:
    assert pause_s(0.0) == pytest.approx(0.3)
    assert pause_s(0.1) == pytest.approx(0.2)
    assert pause_s(1.0) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("heard", "encoded", "worth"),
    [
        (Heard(1.0, None, audible=False), None, False),
        (Heard(1.0, None, audible=True), None, True),
        (Heard(0.2, Speech(0.0, 0.2), audible=True), None, False),
        (Heard(0.6, Speech(0.1, 0.6), audible=True), None, True),
        (Heard(0.9, Speech(0.1, 0.9), audible=True), Speech(0.0, 0.6), True),
        # Silent for longer than what is kept of silence.
        (Heard(1.5, Speech(0.1, 0.9), audible=True), Speech(0.0, 1.3), False),
        # Speaking again.
        (Heard(2.5, Speech(0.1, 2.5), audible=True), Speech(0.0, 1.3), True),
    ],
)
def test_what_is_encoded(heard: Heard, encoded: Speech | None, worth: bool) -> None:
    assert is_worth_encoding(heard, encoded) == worth


def test_a_second_of_silence_after_speech_is_its_end() -> None:
    assert not Heard(1.9, Speech(0.5, 1.0), audible=True).is_over
    assert Heard(2.0, Speech(0.5, 1.0), audible=True).is_over
    assert not Heard(9.0, None, audible=True).is_over
