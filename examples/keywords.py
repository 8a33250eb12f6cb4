"""Which keywords are in a recording, and when: python keywords.py [RECORDING]"""

import os
import sys
from pathlib import Path

from speechclip_client import Client

recording = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("camel.wav")

with Client(os.environ.get("SPEECHCLIP_URL", "http://127.0.0.1:8000")) as service:
    found = service.keywords(audio=recording, top_k=5)

print("the whole:", ", ".join(f"{one.keyword} ({one.score:.3f})" for one in found.keywords))

# Only models with keyword slots know when something was said.
for word in sorted(found.words, key=lambda word: word.start):
    print(f"{word.start:5.2f} s to {word.end:5.2f} s  {word.word} ({word.score:.3f})")
