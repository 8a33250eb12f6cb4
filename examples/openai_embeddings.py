"""Vectors by `/v1/embeddings`, with nothing but the standard library. OpenAI's own client gets the same:

client = openai.OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="-")
client.embeddings.create(model="nano", input=["a camel", "a guitar"])
"""

import base64
import json
import os
from pathlib import Path
from urllib.request import Request, urlopen

URL = os.environ.get("SPEECHCLIP_URL", "http://127.0.0.1:8000")
RECORDING = Path(__file__).with_name("camel.wav")

spoken = {"data": base64.b64encode(RECORDING.read_bytes()).decode(), "format": "wav"}
inputs = ["a camel", "a guitar", {"type": "input_audio", "input_audio": spoken}]

request = Request(  # noqa: S310  # the address is one's own
    f"{URL}/v1/embeddings",
    data=json.dumps({"input": inputs}).encode(),
    headers={"Content-Type": "application/json"},
)
with urlopen(request, timeout=60) as answer:  # noqa: S310
    camel, guitar, recording = (one["embedding"] for one in json.load(answer)["data"])


def cosine(left: list[float], right: list[float]) -> float:
    """Of unit vectors."""
    return sum(a * b for a, b in zip(left, right, strict=True))


print(
    f"the recording is like 'a camel': {cosine(recording, camel):.3f}, like 'a guitar': {cosine(recording, guitar):.3f}"
)
