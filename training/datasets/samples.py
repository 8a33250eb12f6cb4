"""The members of a tar file that belong together: one image and what is said about it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from training.datasets.tars import Member

AUDIO = ("wav", "flac", "mp3", "ogg")
IMAGES = ("jpg", "jpeg", "png", "webp")
TEXT, JSON = "txt", "json"


@dataclass
class Sample:
    """Members that share a stem. Recordings and texts are under their label, which is empty where there is one only."""

    stem: str
    images: list[Member] = field(default_factory=list)
    recordings: dict[str, Member] = field(default_factory=dict)
    texts: dict[str, Member] = field(default_factory=dict)
    facts: dict[str, Member] = field(default_factory=dict)


def samples(members: Iterable[Member]) -> tuple[Sequence[Sample], Sequence[str]]:
    """Samples in the order of their first members, and the names of members that are there again.

    A stem ends at the first dot of the file's name: `a/b.1.wav` is the recording labelled `1` of the sample `a/b`.
    Members of other kinds are passed over.
    """
    found, duplicates = dict[str, Sample](), list[str]()
    for member in members:
        folder, name = posixpath.split(member.name.removeprefix("./"))
        first, _, extension = name.partition(".")
        label, _, kind = extension.lower().rpartition(".")
        if not first or kind not in (*AUDIO, *IMAGES, TEXT, JSON):
            continue
        stem = posixpath.join(folder, first)
        if not _put(found.setdefault(stem, Sample(stem)), label, kind, member):
            duplicates.append(member.name)
    return list(found.values()), duplicates


def _put(sample: Sample, label: str, kind: str, member: Member) -> bool:
    """Whether there was place for it: a sample has one image, and one recording and text for each label."""
    if kind in IMAGES:
        sample.images.append(member)
        return len(sample.images) == 1
    places = sample.recordings if kind in AUDIO else sample.texts if kind == TEXT else sample.facts
    return places.setdefault(label, member) is member
