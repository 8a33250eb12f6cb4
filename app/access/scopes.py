"""Which scope a request needs, by its method and path alone: it is judged before anything else looks at it."""

from __future__ import annotations

import re

from app.access.keys import Scope

OPEN_PATHS = frozenset({"/", "/livez", "/readyz", "/docs", "/openapi.json", "/session"})
OPEN_BELOW = ("/page/", "/docs/")
ASKING_PATHS = frozenset({"/keywords", "/embed", "/embeddings"})
ASKING_BELOW = ("/search/", "/explain/")
ADMIN_PATHS = frozenset({"/metrics", "/restore", "/snapshots"})
ADMIN_BELOW = ("/snapshots/",)
ADMIN_ACTION = re.compile(r"/collections/[^/]+/(compact|snapshot|restore)")
READING = frozenset({"GET", "HEAD", "OPTIONS"})


def needed_scope(method: str, path: str) -> Scope | None:
    """The scope; None for what everybody may have: the page, the API's description, and whether the service is there.

    Whatever is not known needs the highest.
    """
    path = path.removeprefix("/v1") or "/"
    if path in OPEN_PATHS or path.startswith(OPEN_BELOW):
        return None
    if path in ADMIN_PATHS or path.startswith(ADMIN_BELOW) or ADMIN_ACTION.fullmatch(path):
        return "admin"
    if method in READING:
        return "search"
    if path.startswith("/collections/"):
        return "write"
    if method == "POST" and (path.startswith(ASKING_BELOW) or path in ASKING_PATHS):
        return "search"
    return "admin"
