"""A Milvus for several processes: the server of Milvus Lite, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.patience import WAIT_S

PROGRAM = """
import sys
from milvus_lite.adapter.grpc.server import start_server_in_thread

# One request at a time, because it takes no two writers of one collection.
server, files, port = start_server_in_thread(sys.argv[1], "127.0.0.1", 0, max_workers=1)
print(port, flush=True)
sys.stdin.read()
server.stop(grace=2).wait()
files.close()
"""


@contextmanager
def milvus_server(folder: Path) -> Iterator[str]:
    """Yields its address."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdin
        assert process.stdout
        try:
            yield f"milvus://127.0.0.1:{int(process.stdout.readline())}?index=FLAT"
        finally:
            process.stdin.close()
            try:
                process.wait(WAIT_S)
            finally:
                process.kill()
