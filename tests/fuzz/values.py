"""JSON as text, so that it can say what no program would: names twice, numbers without end, halves of characters."""

from __future__ import annotations

import base64
import json

from tests.fuzz import media
from tests.fuzz.requests import Rng, pick

ODD = (
    *("null", "true", "0", "-0", "1", "-1", "1.5", "1e400", "-1e-400", "NaN", "Infinity", "-Infinity", "01", "1_000"),
    *("9" * 400, "1" + "0" * 5_000, "2147483648", "-9223372036854775809", "18446744073709551616", "0x10", "[]", "{}"),
    *(
        '""',
        '" "',
        '"\\u0000"',
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '"\\uD83D\\uDE00"',
        '"\u202e"',
        '"x"',
        "'x'",
        '"' + "x" * 3_000 + '"',
    ),
    *(
        '"../../etc/passwd"',
        '"%00"',
        '"' + "🦊" * 1_001 + '"',
        "undefined",
        "",
        '"\n"',
        '"\\x"',
        "[1,]",
        "{,}",
        '{"a":1,"a":2}',
    ),
    *("[" * 300 + "]" * 300, '{"a":' * 300 + "1" + "}" * 300, "[" * 20_000, "[" + "0," * 30_000 + "0]"),
)
NAMES = (
    *("audio", "image", "text", "vector", "id", "collection", "top_k", "offset", "min_score", "include", "filter"),
    *("group_by", "diversity", "queries", "branch", "data", "weight", "input", "model", "modality", "encoding_format"),
    *("words", "heard", "word", "score", "slot"),
    *("dimensions", "items", "uri", "caption", "metadata", "kind", "snapshot", "replace", "key", "x", "", "__proto__"),
)
GOOD = {
    "top_k": ("1", "5", "1000"),
    "offset": ("0", "3", "10000"),
    "min_score": ("-1", "0.2", "1"),
    "include": ('["uri"]', '["uri", "metadata", "vector"]', "[]"),
    "group_by": ('"metadata.a"', '"caption"', '"metadata.a\\\\.b"'),
    "diversity": ("0", "0.5", "1"),
    "words": ("0", "0.2", "1"),
    "branch": ('"parallel"', '"cascaded"'),
    "collection": ('"images"', '"captions"', '"mine"', '"none"'),
    "model": ('"nano"', '"fake"', '"other"'),
    "encoding_format": ('"base64"', '"float"'),
    "modality": ('"text"', '"image"', '"audio"'),
    "metadata": ("{}", '{"a": 1, "b": ["c"]}'),
    "caption": ('"a dog"',),
    "uri": ('"https://example.org/a.png"', '"media:x"'),
}
FIELDS = (
    "id",
    "uri",
    "caption",
    "metadata",
    "metadata.a",
    "metadata.a.b",
    "metadata.a\\\\.b",
    "metadata.",
    "",
    ".",
    "x",
)
CONDITIONS = ("eq", "ne", "in", "lt", "lte", "gt", "gte", "exists", "contains", "like")


def value(rng: Rng, depth: int = 3) -> str:
    """Anything."""
    chance = rng.random()
    if depth == 0 or chance < 0.6:
        return pick(rng, ODD)
    inner = [value(rng, depth - 1) for _ in range(int(rng.integers(4)))]
    if chance < 0.8:
        return f"[{', '.join(inner)}]"
    return members([(pick(rng, NAMES), one) for one in inner])


def members(pairs: list[tuple[str, str]]) -> str:
    """An object, with names twice if they come twice."""
    return "{" + ", ".join(f"{json.dumps(name)}: {one}" for name, one in pairs) + "}"


def filter_(rng: Rng, depth: int = 3) -> str:
    """A filter, or something like it."""
    chance = rng.random()
    if chance < 0.1:
        return value(rng)
    if depth and chance < 0.4:
        inner = [filter_(rng, depth - 1) for _ in range(int(rng.integers(4)))]
        name = pick(rng, ("and", "or", "not"))
        return members([(name, inner[0] if name == "not" and inner else f"[{', '.join(inner)}]")])
    conditions = [
        (pick(rng, CONDITIONS), pick(rng, (*ODD[:24], '"a"', '["a", 1]'))) for _ in range(int(rng.integers(1, 3)))
    ]
    return members([(pick(rng, FIELDS), members(conditions))])


def source(rng: Rng, names: tuple[str, ...] = ("text", "audio", "image", "vector", "id")) -> tuple[str, str]:
    """A member of an object that says what a query, or an item, is."""
    match name := pick(rng, names):
        case "text":
            return name, pick(rng, ('"a dog"', '"🐶"', '"a"', '"\\ud800"', json.dumps("x" * 1_001), '"\\u0000"'))
        case "audio" | "image":
            return name, members([("data", file(rng, name))])
        case "vector":
            number = pick(rng, ("0.1", "0", "1e308", "-1e-320", "1e999", "null"))
            return name, f"[{', '.join([number] * int(pick(rng, (16, 384, 512, 1, 9_000))))}]"
    return name, pick(rng, ('"1f436"', '"dog"', '"none"', '""', '"' + "x" * 300 + '"'))


def file(rng: Rng, kind: str) -> str:
    """Base64 of a file, now and then broken."""
    data = base64.b64encode(media.audio(rng) if kind == "audio" else media.image(rng)).decode()
    return json.dumps(data if rng.random() < 0.9 else data[:-1] + pick(rng, ("", "=", "!", "é", "\n")))


def query(rng: Rng) -> str:
    """What a search takes, mostly."""
    pairs = [source(rng) for _ in range(int(pick(rng, (1, 1, 1, 1, 0, 2))))]
    for _ in range(int(rng.integers(4))):
        name = pick(rng, NAMES if rng.random() < 0.2 else tuple(GOOD)[:8])
        odd = rng.random() < 0.4 or name not in GOOD
        pairs.append((name, value(rng) if odd else pick(rng, GOOD[name])))
    if rng.random() < 0.3:
        pairs.append(("filter", filter_(rng)))
    if rng.random() < 0.1:
        parts = [members([source(rng), ("weight", pick(rng, ("1", "-1", "0", "1e9", "null")))]) for _ in range(3)]
        pairs = [("queries", f"[{', '.join(parts)}]"), *pairs[1:]]
    return members(pairs)


def embeddings(rng: Rng) -> str:
    """What `/v1/embeddings` takes, mostly."""
    kind = pick(rng, ("text", "image", "audio"))
    url = json.dumps(f"data:{kind}/x;base64," + json.loads(file(rng, kind))) if kind != "text" else '"a dog"'
    part = members([("type", f'"{kind}_url"'), (f"{kind}_url", members([("url", url)]))])
    given = pick(rng, (url, part, f"[{url}, {part}]", f"[{', '.join([url] * 5)}]", value(rng)))
    names = [name for name in ("model", "encoding_format", "modality", "dimensions", "x") if rng.random() < 0.2]
    return members([("input", given), *((name, pick(rng, GOOD.get(name, ODD))) for name in names)])


def items(rng: Rng) -> str:
    """An item for a collection, or a batch of them."""
    found = []
    for _ in range(int(pick(rng, (1, 1, 3)))):
        pairs = [source(rng, ("image", "text", "audio", "vector"))]
        pairs += [(name, pick(rng, GOOD[name])) for name in ("metadata", "caption", "uri") if rng.random() < 0.3]
        pairs += [("id", f'"{int(rng.integers(50))}"')] * (rng.random() < 0.7)
        pairs += [(pick(rng, NAMES), value(rng))] * (rng.random() < 0.2)
        found.append(members(pairs))
    return found[0] if len(found) == 1 else members([("items", f"[{', '.join(found)}]")])


def broken(rng: Rng, text: str) -> bytes:
    """The text as bytes: now and then cut, damaged, or in another coding."""
    data = text.encode("utf-8", "surrogatepass")
    match int(rng.integers(12)):
        case 0:
            return data[: int(rng.integers(len(data) + 1))]
        case 1:
            return b"\xef\xbb\xbf" + data
        case 2:
            return text.encode("utf-16", "surrogatepass")
        case 3:
            at = int(rng.integers(len(data) + 1))
            return data[:at] + rng.bytes(int(rng.integers(4))) + data[at:]
    return data
