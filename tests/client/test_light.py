"""The client alone, without the service and what that needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Refuse())
import speechclip_client
with speechclip_client.Client("http://127.0.0.1:9", retries=speechclip_client.Retries(tries=1)) as service:
    try:
        service.search("images", text="dog")
    except speechclip_client.SpeechClipError as error:
        print(type(error).__name__)
""".replace(
    "{HEAVY}",
    repr(
        {"app", "models", "index", "training", "torch", "numpy", "faiss", "fastapi", "starlette", "PIL", "transformers"}
    ),
)


def test_it_works_where_nothing_else_is_installed() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    assert (done.stdout, done.stderr) == ("ServiceUnreachable\n", "")
