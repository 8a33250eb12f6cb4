#!/usr/bin/env bash
# Every way of asking, with curl alone.
set -euo pipefail
url="${SPEECHCLIP_URL:-http://127.0.0.1:8000}"
recording="$(dirname -- "${BASH_SOURCE[0]}")/camel.wav"

ask() {
    curl --silent --show-error --fail-with-body "$@"
    echo
}

# Is it ready?
ask "$url/readyz"

# A recording, as a form and as it is.
ask -F file=@"$recording" "$url/search/images?top_k=3"
ask -H 'Content-Type: audio/wav' --data-binary @"$recording" "$url/keywords?top_k=3"

# JSON: a text, with a filter.
ask --json '{"text": "camel", "top_k": 3, "filter": {"caption": {"contains": "a"}}}' "$url/search/images"

# A vector, for later.
ask --json '{"text": "camel"}' "$url/embed"

# A collection of one's own: made, filled, searched and deleted.
ask -X PUT --json '{"kind": "captions"}' "$url/collections/curl-example"
ask -H 'Idempotency-Key: first' --json '{"items": [{"id": "1", "text": "a camel"}, {"id": "2", "text": "a guitar"}]}' \
    "$url/collections/curl-example/items"
ask -F file=@"$recording" "$url/search/curl-example"
ask -X DELETE "$url/collections/curl-example"
