"""What is sent is read piece by piece."""

from __future__ import annotations

import base64
import io
import json
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from speechclip_client.errors import UploadFailed
from speechclip_client.uploads import PIECE, Body, FileBody, JsonBody, upload

MIB = 1024 * 1024


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file of 64 MiB, most of which takes no room on the disk."""
    path = tmp_path / "large"
    with path.open("wb") as out:
        out.write(os.urandom(MIB))
        out.truncate(64 * MIB)
    return path


@pytest.mark.parametrize("size", [0, 1, 2, 3, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 2])
def test_json_with_files_is_what_json_says(size: int, tmp_path: Path) -> None:
    data = os.urandom(size)
    path = tmp_path / "file"
    path.write_bytes(data)
    values: dict[str, Any] = {"a": [{"data": upload(file)} for file in (data, path, str(path), io.BytesIO(data))]}
    body = JsonBody(values | {"text": 'ü"\\\n', "number": 1.5})

    for _ in range(2):
        sent = b"".join(body.pieces())
        assert len(sent) == body.length
        told = json.loads(sent)
        assert (told["text"], told["number"]) == ('ü"\\\n', 1.5)
        assert [base64.b64decode(one["data"], validate=True) for one in told["a"]] == [data] * 4


def test_a_large_file_is_never_held(large: Path) -> None:
    bodies: list[Body] = [FileBody(upload(large), "image/*"), JsonBody({"items": [{"data": upload(large)}] * 2})]
    tracemalloc.start()
    try:
        sizes = [sum(len(piece) for piece in body.pieces()) for body in bodies]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert sizes == [body.length for body in bodies]
    assert sizes[1] > 2 * 64 * MIB
    assert peak < 2 * MIB


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for wrong in (3, None, io.StringIO("text"), ["a"]):
        with pytest.raises(TypeError, match="binary"):
            upload(wrong)  # type: ignore[arg-type]
    for missing in (tmp_path / "nothing", tmp_path):
        with pytest.raises(UploadFailed):
            FileBody(upload(missing), "audio/*").length  # noqa: B018
    with pytest.raises(UploadFailed):
        list(upload(tmp_path / "nothing").pieces())


def test_a_pipe_by_its_path_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    with pytest.raises(UploadFailed, match="regular"):
        upload(path).length  # noqa: B018


def test_what_json_has_no_word_for_is_refused() -> None:
    with pytest.raises(TypeError, match="set cannot be sent"):
        JsonBody({"a": {1}})
    with pytest.raises(ValueError, match="Out of range"):
        JsonBody({"a": float("inf")})
