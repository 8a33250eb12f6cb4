"""The console script, also where only the client's requirements are installed."""

from __future__ import annotations

import os
import signal
import sys

from app.version import DISTRIBUTION


def main() -> None:
    """Run `speechclip`, or say in one sentence what is missing for it."""
    if os.getpid() == 1:
        # The first process of a container, which a signal without a handler does not end; imports take a second.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        from app.cli import main
    except ModuleNotFoundError as error:
        sys.exit(
            f"Error: {error.name} is not installed; the service is in the extras of {DISTRIBUTION}: "
            f"pip install '{DISTRIBUTION}[cpu]', or [gpu]"
        )
    main()
