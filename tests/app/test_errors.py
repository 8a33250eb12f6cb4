"""One table for all errors."""

from __future__ import annotations

import inspect

import pytest
from starlette.exceptions import HTTPException

from app.errors import FRAMEWORK, INTERNAL, PROBLEMS, NotReady, ServiceError, framework_kind, kind_of
from index import errors as index_errors
from models import errors as model_errors


def exceptions_of(module: object) -> list[type[Exception]]:
    found = inspect.getmembers(module, lambda one: inspect.isclass(one) and issubclass(one, Exception))
    return [one for _, one in found if one.__module__ == getattr(module, "__name__", None)]


@pytest.mark.parametrize("exception", exceptions_of(model_errors) + exceptions_of(index_errors))
def test_every_exception_of_the_packages_has_a_row(exception: type[Exception]) -> None:
    kind = kind_of(exception("words"))
    # Models are brought and loaded by the command line and at the start; over HTTP that would be our own mistake.
    loading = issubclass(exception, model_errors.ModelError) and exception is not model_errors.BranchError

    assert (kind == INTERNAL) == loading


def test_every_refusal_of_the_service_has_a_row() -> None:
    assert all(one in PROBLEMS for one in ServiceError.__subclasses__())


def test_a_code_means_one_status() -> None:
    kinds = [*PROBLEMS.values(), *FRAMEWORK.values(), INTERNAL]

    assert len({kind.code for kind in kinds}) == len({(kind.code, kind.status) for kind in kinds})


def test_the_nearest_row_counts() -> None:
    assert kind_of(model_errors.SilentAudio()).code == "silent_audio"
    assert kind_of(model_errors.UndecodableAudio()).code == "unsupported_media"
    assert kind_of(NotReady("soon")).code == "not_ready"
    assert kind_of(KeyError("x")) == INTERNAL


@pytest.mark.parametrize(("status", "code"), [(404, "not_found"), (405, "method_not_allowed"), (418, "im_a_teapot")])
def test_refusals_of_the_framework_have_a_code_too(status: int, code: str) -> None:
    assert kind_of(HTTPException(status)).code == code
    assert framework_kind(status).status == status
