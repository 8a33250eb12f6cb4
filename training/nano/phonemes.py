"""Phonemes of phrases, as espeak-ng says them: the targets of the listening stage."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

STRESS = "ˈˌ"
WORD_BREAK = " "


def phonemize(phrases: Sequence[str]) -> list[tuple[str, ...]]:
    """Phonemes of each phrase (General American), without stress, with a symbol between words."""
    return [_split(_ipa(phrase)) for phrase in phrases]


def _ipa(phrase: str) -> str:
    command = ["espeak-ng", "-q", "--ipa", "--sep=_", "-v", "en-us", phrase]
    return subprocess.run(command, check=True, capture_output=True, text=True, encoding="utf-8", timeout=30).stdout


def _split(line: str) -> tuple[str, ...]:
    words = ["".join(c for c in word if c not in STRESS) for word in line.split()]
    symbols: list[str] = []
    for word in words:
        if symbols:
            symbols.append(WORD_BREAK)
        symbols.extend(symbol for symbol in word.split("_") if symbol)
    return tuple(symbols)


def load_phonemes(work: Path, phrases: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Phrase -> phonemes of all that was ever asked for, kept in `work/phonemes.json`; espeak-ng says the rest."""
    path = work / "phonemes.json"
    known: dict[str, Sequence[str]] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    missing = [phrase for phrase in dict.fromkeys(phrases) if phrase not in known]
    if missing:
        known.update(zip(missing, phonemize(missing), strict=True))
        work.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(known, ensure_ascii=False), encoding="utf-8")
        partial.replace(path)
    return {phrase: tuple(sounds) for phrase, sounds in known.items()}
