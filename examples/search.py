"""Search with a recording: python search.py [RECORDING]"""

import os
import sys
from pathlib import Path

from speechclip_client import Client

recording = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("camel.wav")

with Client(os.environ.get("SPEECHCLIP_URL", "http://127.0.0.1:8000")) as service:
    found = service.search("images", audio=recording, top_k=5)

for result in found.results:
    print(f"{result.rank}  {result.score:.3f}  {result.caption}")
print(f"{found.query.seconds} s of {found.query.format}, answered in {found.timings_ms.total} ms")
