"""`docs/openapi.json` is the description of this API, as `python -m scripts.openapi` writes it."""

from __future__ import annotations

import json

from scripts.openapi import FILE, described


def test_the_file_is_what_the_application_says_of_itself() -> None:
    committed, now = json.loads(FILE.read_text(encoding="utf-8")), json.loads(described())
    different = {key for key in committed.keys() | now.keys() if committed.get(key) != now.get(key)}
    paths = {path for path in committed["paths"].keys() ^ now["paths"].keys()}

    assert (different, paths) == (set(), set()), "write it anew with: python -m scripts.openapi"
    assert FILE.read_text(encoding="utf-8") == described()


def test_generated_clients_have_a_name_for_every_method() -> None:
    methods = [method for path in json.loads(described())["paths"].values() for method in path.values()]
    names = [method["operationId"] for method in methods]

    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and len(name) < 40 for name in names)
