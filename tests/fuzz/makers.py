"""What is sent: families of requests, each made of a generator's numbers alone."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote_from_bytes

from tests.fuzz import media, values
from tests.fuzz.requests import HOST, Maker, Request, Rng, pick

SEARCHES = (b"/search/images", b"/search/captions", b"/search/mine", b"/search/none", b"/keywords", b"/embed")
ITEMS = (
    b"/collections/mine/items",
    b"/collections/other/items",
    b"/collections/images/items",
    b"/collections/none/items",
)
TYPES = {
    "audio": (b"audio/wav", b"audio/webm;codecs=opus", b"audio/mpeg", b"video/mp4", b"application/octet-stream", b""),
    "image": (b"image/png", b"image/jpeg", b"image/*", b"application/octet-stream", b""),
}
ODD_TYPES = (
    b"application/x-www-form-urlencoded",
    b"text/plain",
    b"/",
    b"audio/\xff",
    b"multipart/form-data",
    b"a" * 3_000,
)
JSON_TYPES = (b"application/json",) * 6 + (
    b"application/problem+json",
    b"application/json; charset=utf-16",
    b"text/json",
)
PATHS = (
    *(b"/", b"/livez", b"/readyz", b"/info", b"/metrics", b"/docs", b"/openapi.json", b"/collections", b"/snapshots"),
    *(
        b"/collections/mine",
        b"/collections/fuzz",
        b"/collections/images/items",
        b"/collections/mine/items/1",
        b"/session",
    ),
    *(b"/collections/mine/compact", b"/collections/images/items/1f436", b"/media/images/1f436", b"/media/mine/1"),
    *(b"/page/style.css", b"/docs/reference.js", b"/v1/collections", b"/v1/search/images", b"/embeddings", b"/stream"),
)
METHODS = (
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"DELETE",
    b"PATCH",
    b"OPTIONS",
    b"TRACE",
    b"CONNECT",
    b"BREW",
    b"get",
    b"Q" * 99,
)
HEADERS = (
    *(
        (b"Host", name)
        for name in (b"evil.example", b"localhost", b"[::1]", b"", b"a b", b"127.0.0.1:99999", b"\xff", b"%00")
    ),
    *((b"Origin", name) for name in (b"null", b"http://evil.example", b"http://127.0.0.1", b"\xff")),
    *(
        (b"Range", span)
        for span in (b"bytes=0-0", b"bytes=5-1", b"bytes=-1", b"bytes=" + b"0-1," * 300, b"bytes=9999999-", b"x")
    ),
    *((b"X-Request-ID", id) for id in (b"a", b"\xff", b"a" * 129, b"a b", b"../..", b"")),
    *((b"Content-Encoding", coding) for coding in (b"gzip", b"identity", b"br, gzip", b"")),
    *((b"If-None-Match", tag) for tag in (b"*", b'"a"', b'W/"' + b"a" * 900, b"\xff")),
    *((b"Authorization", key) for key in (b"Bearer", b"Bearer \xff", b"Basic Og==", b"Bearer " + b"a" * 900)),
    *((b"Cookie", cookie) for cookie in (b"speechclip=\xff", b"a=b; " * 400, b";;;=")),
    *((b"Idempotency-Key", key) for key in (b"", b"a", b"a b", b"k" * 257, b"\xc3\xa9")),
    *((b"Accept", kind) for kind in (b"", b"text/html", b"*/*;q=0", b"\xff")),
    *((b"Sec-Fetch-Site", site) for site in (b"cross-site", b"same-origin", b"x")),
    *((b"traceparent", trace) for trace in (b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-00", b"x", b"ff" * 90)),
    *(
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Connection", b"close, \xff"),
        (b"X" * 300, b"y" * 8_000),
    ),
    *((b"If-Modified-Since", b"Mon, 99 Xxx 9999 99:99:99 GMT"), (b"Expect", b"100-continue"), (b"Expect", b"tea")),
)


def a_file(rng: Rng) -> Request:
    """The bytes of a file, to whoever takes one."""
    kind = pick(rng, ("audio", "audio", "image"))
    data = media.audio(rng) if kind == "audio" else media.image(rng)
    type_ = pick(rng, ODD_TYPES if rng.random() < 0.05 else TYPES[kind])
    target = pick(rng, ITEMS[:1] if rng.random() < 0.05 else SEARCHES)
    if rng.random() < 0.1:
        target += _parameters(rng)
    return Request(kind, b"POST", target, data, [(b"Content-Type", type_)] if type_ else [])


def a_form(rng: Rng) -> Request:
    """A multipart body, with files, fields and boundaries of every kind."""
    boundary = pick(rng, (b"x", b"x", b"x", b"----WebKitFormBoundary7MA4YWxkTrZu0gW", b"'()+_,-./:=?", b"a" * 70))
    parts = [_part(rng) for _ in range(int(pick(rng, (1, 1, 1, 2, 3, 0, 12))))]
    body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + boundary + b"--\r\n"
    if rng.random() < 0.25:
        body = values.broken(rng, "") or body[: int(rng.integers(len(body)))]
    said = pick(rng, (boundary,) * 8 + (b"y", b"", b'"' + boundary + b'"', b"a" * 300, b"\xff"))
    type_ = b"multipart/form-data; boundary=" + said
    target = pick(rng, SEARCHES + ITEMS[:2]) + (_parameters(rng) if rng.random() < 0.2 else b"")
    return Request("form", b"POST", target, body, [(b"Content-Type", type_)])


def _part(rng: Rng) -> bytes:
    name = pick(
        rng,
        (
            b"file",
            b"file",
            b"audio",
            b"image",
            b"top_k",
            b"include",
            b"filter",
            b"metadata",
            b"items",
            b"",
            b"\xff",
            b"x" * 500,
        ),
    )
    filename = pick(
        rng, (b"", b'; filename="a.wav"', b'; filename="../a\\"b.png"', b"; filename*=utf-8''%ff", b'; filename="')
    )
    is_file = name in (b"file", b"audio", b"image")
    data = (
        (media.audio(rng) if rng.random() < 0.6 else media.image(rng))
        if is_file
        else values.value(rng).encode("utf-8", "replace")
    )
    extra = pick(
        rng,
        (b"", b"", b"\r\nContent-Type: audio/wav", b"\r\nContent-Transfer-Encoding: base64", b"\r\n: x", b"\r\nX" * 60),
    )
    return b'Content-Disposition: form-data; name="' + name + b'"' + filename + extra + b"\r\n\r\n" + data


def some_json(rng: Rng) -> Request:
    """JSON that is nearly right, and JSON that is not."""
    target, make = pick(
        rng,
        (
            *((path, values.query) for path in SEARCHES),
            (b"/v1/embeddings", values.embeddings),
            (b"/embeddings", values.embeddings),
            *((path, values.items) for path in ITEMS[:2]),
            (b"/session", values.value),
        ),
    )
    text = make(rng) if rng.random() < 0.85 else values.value(rng)
    headers = [(b"Content-Type", pick(rng, JSON_TYPES))]
    if b"items" in target and rng.random() < 0.3:
        headers.append((b"Idempotency-Key", b"%d" % rng.integers(100)))
    return Request("json", b"POST", target, values.broken(rng, text), headers)


def an_operation(rng: Rng) -> Request:
    """Collections, items and snapshots made, changed and deleted, of a few names, so that it means something."""
    name = pick(
        rng, (b"mine", b"other", b"fuzz", b"images", b"none", b"..", b"%2e%2e", b".hidden", b"a" * 200, b"%ff", b"%00")
    )
    id_ = quote_from_bytes(pick(rng, (b"1", b"2", b"a/b", b"..", b"\xff", b"a" * 300, b"\0"))).encode()
    method, path, text = pick(
        rng,
        (
            (b"PUT", b"", pick(rng, ("", '{"kind": "images"}', '{"kind": "captions"}', values.value(rng)))),
            (b"GET", b"", ""),
            (b"GET", b"/items", ""),
            (b"GET", b"/items/" + id_, ""),
            (b"DELETE", b"/items/" + id_, ""),
            (b"POST", b"/items", values.items(rng)),
            (b"POST", b"/items", values.items(rng)),
            (b"POST", b"/compact", ""),
            (
                b"POST",
                b"/restore",
                pick(rng, ('{"snapshot": "x"}', '{"snapshot": "../x", "replace": true}', values.value(rng))),
            ),
            (b"DELETE", b"", ""),
        ),
    )
    if method == b"DELETE" and not path and name in (b"mine", b"images"):
        name = b"fuzz"
    target = b"/collections/" + name + path + (_parameters(rng) if method == b"GET" else b"")
    return Request(
        "operation", method, target, text.encode("utf-8", "surrogatepass"), [(b"Content-Type", b"application/json")]
    )


def a_target(rng: Rng) -> Request:
    """Paths and query strings."""
    path = pick(rng, PATHS)
    match int(rng.integers(5)):
        case 0:
            path += pick(
                rng, (b"/", b"//", b"/..", b"/%2e%2e/%2e%2e/etc/passwd", b"%00", b"%", b"%zz", b";x", b"/" * 500)
            )
        case 1:
            path = b"/" + quote_from_bytes(rng.bytes(int(rng.integers(1, 60)))).encode()
        case 2:
            path = pick(
                rng,
                (
                    b"*",
                    b"http://evil.example/",
                    b"//evil.example/x",
                    b"?",
                    b"/" + b"a" * 9_000,
                    b"/\xff\xfe",
                    b"/media/images/..%2f..%2fx",
                ),
            )
    return Request("target", pick(rng, METHODS[:5]), path + _parameters(rng), headers=[])


def _parameters(rng: Rng) -> bytes:
    if rng.random() < 0.5:
        return b""
    pairs = []
    for _ in range(int(rng.integers(1, 4))):
        name = pick(rng, (*values.NAMES, "limit", "cursor"))
        said = pick(rng, values.GOOD.get(name, values.ODD) if rng.random() < 0.6 else values.ODD)[:2_000]
        pairs.append(f"{name}=".encode() + quote_from_bytes(said.strip('"').encode("utf-8", "surrogatepass")).encode())
    return b"?" + pick(rng, (b"&", b"&", b"&&", b";")).join(pairs)


def odd_headers(rng: Rng) -> Request:
    """Methods and headers."""
    is_query = rng.random() < 0.4
    target = b"/search/captions" if is_query else pick(rng, PATHS)
    headers = [pick(rng, HEADERS) for _ in range(int(rng.integers(1, 4)))]
    if is_query:
        return Request(
            "header", b"POST", target, b'{"text": "a dog"}', [(b"Content-Type", b"application/json"), *headers]
        )
    return Request("header", pick(rng, METHODS), target, headers=headers)


def broken_http(rng: Rng) -> Request:
    """What is not HTTP, or only begins to be."""
    line = b"POST /search/images HTTP/1.1\r\nHost: " + HOST + b"\r\nContent-Type: application/json\r\n"
    heads = (
        rng.bytes(int(rng.integers(1, 400))),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.bytes(200),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /livez\r\n\r\n",
        b"GET /livez HTTP/1.0\r\n\r\n",
        b"GET  /livez  HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost : x\r\n folded\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n" + b"X: y\r\n" * 2_000 + b"\r\n",
        b"GET /livez HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        line + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
        line + b"Content-Length: -1\r\n\r\n{}",
        line + b"Content-Length: 99999999999999999999\r\n\r\n{}",
        line + b"Content-Length: 1000\r\n\r\n{}",
        line + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        line + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        line + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        line + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
        line + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}",
        line + b'Transfer-Encoding: chunked\r\n\r\n13\r\n{"text": "a cat!!"}\r\n0\r\nX: y\r\n\r\n',
        line[: int(rng.integers(1, len(line)))],
    )
    return Request("http", b"GET", b"/", head=pick(rng, heads), whole=False)


SHARES: Mapping[Maker, float] = {
    a_file: 0.45,
    a_form: 0.13,
    some_json: 0.2,
    an_operation: 0.08,
    a_target: 0.05,
    odd_headers: 0.05,
    broken_http: 0.04,
}


def make(rng: Rng) -> Request:
    """One of all families."""
    makers = list(SHARES)
    return makers[int(rng.choice(len(makers), p=list(SHARES.values())))](rng)
