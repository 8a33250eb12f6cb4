"""A running service, asked over HTTP: what is measured is what its users get."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from pydantic import ValidationError

from models.config import Branch
from training.evaluation.answers import Answering, Embedded, Info, Model
from training.evaluation.embedder import Batch, Vectors
from training.evaluation.errors import EvaluationError

if TYPE_CHECKING:
    import httpx2

TIMEOUT_S = 120.0
TRIES = 8  # while it has too much to do, or starts
LONGEST_PAUSE_S = 30.0
BUSY = (429, 503)
REFUSED = (400, 413, 415, 422)
"""The service will not take this file, and goes on with the next."""

FORBIDDEN = (401, 403)
KEY = "SPEECHCLIP_API_KEY"
"""The environment variable that the key for a service with API keys is in."""

Pause = Callable[[float], None]


class ServiceEmbedder:
    """`Embedder` by `POST /embed`, a batch being as many queries at the same time.

    branch: that which the service searches with, unless another is named. Raises `EvaluationError` for a service that
    is not there, not ready, or has no such branch. Keywords are not known: `/embed` does not tell them.
    """

    way = "url"
    for_good = False  # its limits may be others the next time

    def __init__(self, client: httpx2.Client, branch: Branch | None, pause: Pause = time.sleep) -> None:
        self._client, self._pause = client, pause
        model = self._info()
        if branch is not None and branch not in model.branches:
            raise EvaluationError(f"the service's model {model.name} has no {branch} branch")
        self.name, self.fingerprint, self.dim = model.name, model.fingerprint, model.dim
        self.precision = model.precision
        self.branch: Branch = branch or model.branches[0]

    @classmethod
    def at(cls, url: str, branch: Branch | None) -> Self:
        """The service whose page is at `url`, with the key of the environment where there is one."""
        try:
            import httpx2
        except ModuleNotFoundError as error:
            raise EvaluationError("--url needs httpx2: install speechclip-search with its extra `train`") from error
        key = os.environ.get(KEY, "").strip()
        headers = {b"Authorization": f"Bearer {key}".encode()} if key else {}
        try:
            return cls(httpx2.Client(base_url=url, headers=headers, timeout=TIMEOUT_S, follow_redirects=False), branch)
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
            raise EvaluationError(f"{url!r} is no address of a service, such as http://127.0.0.1:8000") from error

    def speech(self, files: Sequence[bytes]) -> Batch:
        started_at = time.perf_counter()
        answers = self._each(self._audio, files)
        seconds = time.perf_counter() - started_at
        good = [answer for answer in answers if isinstance(answer, Embedded)]
        lengths = [answer.query.seconds or 0.0 for answer in good]
        if not all(lengths):
            raise EvaluationError("the service does not tell how long the audio is")
        return Batch.spoken(self._vectors(good), _reasons(answers), [[] for _ in good], lengths, seconds)

    def images(self, files: Sequence[bytes]) -> Batch:
        return self._batch(self._image, files)

    def texts(self, texts: Sequence[bytes]) -> Batch:
        return self._batch(self._text, texts)

    def _batch(self, ask: Callable[[bytes], Embedded | str], files: Sequence[bytes]) -> Batch:
        answers = self._each(ask, files)
        return Batch.of(self._vectors([one for one in answers if isinstance(one, Embedded)]), _reasons(answers))

    def _each(self, ask: Callable[[bytes], Embedded | str], files: Sequence[bytes]) -> list[Embedded | str]:
        with ThreadPoolExecutor(max(1, len(files))) as threads:
            return list(threads.map(ask, files))

    def _audio(self, data: bytes) -> Embedded | str:
        return self._embed(params={"branch": self.branch}, content=data, headers={"Content-Type": "audio/*"})

    def _image(self, data: bytes) -> Embedded | str:
        return self._embed(content=data, headers={"Content-Type": "image/*"})

    def _text(self, text: bytes) -> Embedded | str:
        return self._embed(json={"text": text.decode()})

    def _embed(self, **request: Any) -> Embedded | str:
        """The answer, or why this file is refused."""
        answer = self._ask("POST", "/embed", **request)
        if answer.status_code in REFUSED:
            return _detail(answer)
        if answer.status_code != 200:
            raise EvaluationError(f"the service fails with status {answer.status_code}: {_detail(answer)}")
        try:
            embedded = Embedded.model_validate_json(answer.content)
        except ValidationError as error:
            raise EvaluationError("the service answers /embed with something else than a vector") from error
        self._require_same(embedded.model)
        return embedded

    def _require_same(self, model: Answering) -> None:
        if model.name != self.name or not self.fingerprint.startswith(model.revision):
            raise EvaluationError(f"the service had the model {self.name}, and now has another, {model.name}")

    def _info(self) -> Model:
        answer = self._ask("GET", "/readyz")
        if answer.status_code == 200:
            answer = self._ask("GET", "/info")
        if answer.status_code != 200:
            raise EvaluationError(f"the service is not ready, with status {answer.status_code}: {_detail(answer)}")
        try:
            model = Info.model_validate_json(answer.content).model
        except ValidationError as error:
            raise EvaluationError("what answers there is not this service: its /info is another") from error
        if model is None or not model.branches:
            raise EvaluationError("the service has no model yet")
        return model

    def _ask(self, method: str, path: str, **request: Any) -> httpx2.Response:
        """An answer of any status; while the service is busy it is asked again, after the pause that it asks for."""
        import httpx2

        for left in reversed(range(TRIES)):
            try:
                answer = self._client.request(method, path, **request)
            except httpx2.TransportError as error:
                if left and isinstance(error, httpx2.RemoteProtocolError):  # it had closed the connection just now
                    continue
                said = str(error) or type(error).__name__
                raise EvaluationError(f"the service at {self._client.base_url} does not answer: {said}") from error
            if answer.status_code not in BUSY or not left:
                break
            self._pause(_wanted_pause(answer.headers))
        if answer.status_code in FORBIDDEN:
            raise EvaluationError(f"the service wants an API key that may search, in {KEY}: {_detail(answer)}")
        return answer

    def _vectors(self, answers: Sequence[Embedded]) -> Vectors:
        vectors = [answer.vector for answer in answers]
        if any(len(vector) != self.dim for vector in vectors):
            raise EvaluationError(f"the service answers with vectors of another size than the {self.dim} it tells")
        return np.array(vectors, np.float32).reshape(-1, self.dim)


def _reasons(answers: Sequence[Embedded | str]) -> list[str]:
    return [answer if isinstance(answer, str) else "" for answer in answers]


def _detail(answer: httpx2.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        body = None
    detail = body.get("detail") if isinstance(body, dict) else None
    return str(detail or answer.reason_phrase or "no reason given")[:500]


def _wanted_pause(headers: Mapping[str, str]) -> float:
    try:
        return min(LONGEST_PAUSE_S, max(0.1, float(headers.get("Retry-After", "1"))))
    except ValueError:
        return 1.0
