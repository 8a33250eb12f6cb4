"""Captions of a scene, in the many ways in which people ask for a picture or tell what is in it."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from training.scenes.descriptions import Describer
from training.scenes.scene import Scene
from training.scenes.speaker import Speaker

PLAIN, STATEMENT, REQUEST, QUESTION, CLAUSE, TERSE = 0.34, 0.13, 0.22, 0.11, 0.13, 0.07
"""How often a caption is of that kind."""

SAYS_BACKDROP = 0.28
MOST_WORDS = 14

STATEMENTS = (
    "there {be} {what}",
    "there {be} {what} in the picture",
    "in the picture there {be} {what}",
    "here {be} {what}",
    "i see {what}",
    "i can see {what}",
    "you can see {what}",
    "we can see {what}",
    "a picture of {what}",
    "a drawing of {what}",
    "an image of {what}",
    "a picture with {what}",
    "a picture that shows {what}",
    "this is a picture of {what}",
    "this picture shows {what}",
    "the picture shows {what}",
    "the image has {what} in it",
)
REQUESTS = (
    "show me {what}",
    "show me {what}",
    "show {what}",
    "find {what}",
    "find me {what}",
    "search for {what}",
    "look for {what}",
    "get me {what}",
    "give me {what}",
    "bring up {what}",
    "let me see {what}",
    "please show me {what}",
    "please find {what}",
    "show me {what} please",
    "{what} please",
    "i want {what}",
    "i want to see {what}",
    "i would like to see {what}",
    "i'd like to see {what}",
    "i am looking for {what}",
    "i'm looking for {what}",
    "i'm looking for a picture of {what}",
    "i need a picture of {what}",
    "i need {what}",
    "show me a picture of {what}",
    "show me the picture with {what}",
    "show me all pictures with {what}",
    "find a picture of {what}",
    "find a drawing of {what}",
    "find an image of {what}",
    "find the picture with {what}",
    "open the picture with {what}",
    "search for a picture of {what}",
    "let us look at {what}",
)
QUESTIONS = (
    "{be} there {what}?",
    "is there a picture of {what}?",
    "is there a picture with {what}?",
    "do you have {what}?",
    "do you have a picture of {what}?",
    "have you got {what}?",
    "have you got a picture of {what}?",
    "which picture shows {what}?",
    "which picture has {what}?",
    "which one has {what} in it?",
    "where is the picture with {what}?",
    "where can i find {what}?",
    "where can i see {what}?",
    "can you see {what}?",
    "can you show me {what}?",
    "can you find {what}?",
    "can you find me a picture of {what}?",
    "could you show me {what}?",
    "could you find {what}?",
    "could you look for {what}?",
    "would you show me {what}?",
    "how about {what}?",
    "what about {what}?",
)
FRAMES = {STATEMENTS: STATEMENT, REQUESTS: REQUEST, QUESTIONS: QUESTION, ("{what}",): PLAIN}


@dataclass(frozen=True, slots=True)
class Caption:
    """spoken: with the commas and question marks that a voice goes by."""

    spoken: str

    @property
    def text(self) -> str:
        """The words alone."""
        return re.sub(r"[,?]", "", self.spoken)


def captions(scene: Scene, count: int, rng: random.Random) -> list[Caption]:
    """So many captions of the scene, no two of which are the same."""
    found: dict[str, Caption] = {}
    while len(found) < count:
        caption = Caption(_said(scene, rng))
        if len(caption.text.split()) <= MOST_WORDS:
            found.setdefault(caption.text, caption)
    return list(found.values())


def _said(scene: Scene, rng: random.Random) -> str:
    kind = rng.random()
    if kind < TERSE:
        return Describer(scene, Speaker(scene, rng, terse=True), rng).phrase().text
    describer = Describer(scene, Speaker(scene, rng), rng)
    if kind < TERSE + CLAUSE:
        return describer.clause()
    (frames,) = rng.choices([*FRAMES], [*FRAMES.values()])
    described = describer.phrase()
    what = f"{described.text} {describer.behind()}" if rng.random() < SAYS_BACKDROP else described.text
    return rng.choice(frames).format(what=what, be=described.be)
