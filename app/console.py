"""The console script, also where only the client's requirements are installed."""

from __future__ import annotations

import sys

from app.version import DISTRIBUTION


def main() -> None:
    """Run `speechclip`, or say in one sentence what is missing for it."""
    try:
        from app.cli import main
    except ModuleNotFoundError as error:
        sys.exit(
            f"Error: {error.name} is not installed; the service is in the extras of {DISTRIBUTION}: "
            f"pip install '{DISTRIBUTION}[cpu]', or [gpu]"
        )
    main()
