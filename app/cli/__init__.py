"""The command line, `speechclip`: `commands.py` says what can be typed, its neighbours do it.

Only what `--help` needs is imported before a command runs.
"""

from app.cli.commands import main, program

__all__ = ["main", "program"]
