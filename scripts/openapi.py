"""Write the description of the HTTP API: `python -m scripts.openapi [FILE]`, by default `docs/openapi.json`.

Committed, it shows in every change what the change does to the API, and is there for those who generate clients.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from app.main import create_app
from app.settings import Settings

FILE = Path(__file__).resolve().parents[1] / "docs" / "openapi.json"


def described() -> str:
    """The document as it is in the file."""
    document = create_app(Settings(api_keys={}, api_keys_file=None)).openapi()
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    target.write_text(described(), encoding="utf-8")
    print(f"{target} is written.")
