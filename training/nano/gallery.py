"""Write the default collection's files into `app/demo`: drawings, names and keywords."""

from __future__ import annotations

import json
from pathlib import Path

from rich.progress import track

from training.nano.drawings import load_drawings
from training.nano.lexicon import Lexicon

SIDE = 96
QUALITY = 82


def write_gallery(packages: Path, out: Path, lexicon: Lexicon) -> int:
    """Returns the number of drawings written."""
    drawings = load_drawings(packages, "noto", lexicon)
    chosen = [emoji for emoji in lexicon.emoji if emoji.id in drawings]
    (out / "drawings").mkdir(parents=True, exist_ok=True)
    for emoji in track(chosen, "drawings"):
        image = drawings[emoji.id]().convert("RGBA")
        image.thumbnail((SIDE, SIDE))
        image.save(out / "drawings" / f"{emoji.id}.webp", quality=QUALITY, method=6)
    entries = [{"id": e.id, "symbol": e.symbol, "name": e.name, "keywords": list(e.keywords)} for e in chosen]
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    (out / "lexicon.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    return len(chosen)
