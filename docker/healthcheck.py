"""End with status 0 if the service in this container is ready. The slim image has no curl."""

import os
import sys
from http.client import HTTPConnection, HTTPException

try:
    connection = HTTPConnection("127.0.0.1", int(os.environ.get("SPEECHCLIP_PORT", "8000")), timeout=5)
    connection.request("GET", "/readyz")
    status = connection.getresponse().status
except (OSError, HTTPException) as error:
    sys.exit(f"no answer: {error}")
if status != 200:
    sys.exit(f"not ready: {status}")
