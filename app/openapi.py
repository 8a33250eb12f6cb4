"""What `/openapi.json` says that cannot be read off the handlers: the ways to send a query, and the problems."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from app.errors import FRAMEWORK, INTERNAL, MEDIA_TYPE, PROBLEMS, ProblemKind
from app.keeping.items import MediaItem, NewItem, NewItems
from app.openai import EmbeddingsRequest
from app.query.requests import EmbedQuery, ExplainQuery, KeywordQuery, MediaQuery, SearchQuery
from app.schemas import Problem

REF = "#/components/schemas/{model}"
PROBLEM_REF = {"$ref": REF.format(model=Problem.__name__)}
BINARY = {"type": "string", "format": "binary"}
SHAPES = (EmbeddingsRequest, NewItem, NewItems, SearchQuery, KeywordQuery, EmbedQuery, ExplainQuery, Problem)

# Of a request that is not HTTP, not allowed, or has a body where none is wanted, whatever it asks for.
ANY_PROBLEMS = (400, 401, 403, 408, 413, 421, 429, 500)
QUERY_PROBLEMS = (400, 401, 403, 404, 408, 409, 413, 415, 421, 422, 429, 500, 501, 503, 504)

Json = dict[str, Any]


def problem_kinds() -> list[ProblemKind]:
    """Every code once, by status; where it has several titles, all of them."""
    titles: dict[tuple[int, str], list[str]] = {}
    for status, code, title in sorted({*PROBLEMS.values(), *FRAMEWORK.values(), INTERNAL}):
        titles.setdefault((status, code), []).append(title)
    return [ProblemKind(status, code, "; ".join(several)) for (status, code), several in titles.items()]


def problem_responses(statuses: Iterable[int]) -> dict[int | str, Json]:
    """The problems of a route, for FastAPI's `responses`."""
    return {status: _problem_response(status) for status in statuses}


def file_responses(media_type: str) -> dict[int | str, Json]:
    """Of a route that answers with a file, for FastAPI's `responses`."""
    content = {media_type: {"schema": BINARY}}
    # Of several ranges at once the parts come as multipart/byteranges.
    parts = {**content, "multipart/byteranges": {"schema": BINARY}}
    return {
        200: {"description": "The file.", "content": content},
        206: {"description": "What `Range` asked for of it.", "content": parts},
    }


def query_request(shape: type[MediaQuery]) -> Json:
    """The body of a query in its three forms, and the parameters of the query string, for `openapi_extra`."""
    properties = shape.model_json_schema(ref_template=REF)["properties"]
    options = {name: _as_text(properties[name]) for name in sorted(shape.options())}
    return {
        "requestBody": {
            "required": True,
            "description": "One query, in any of three forms: a multipart form with one file, the bytes of a file, "
            f"or JSON with exactly one of {', '.join(sorted(shape.sources()))}. "
            "What a file is, is read from its bytes.",
            "content": {
                "multipart/form-data": {"schema": _form(options)},
                "audio/*": {"schema": BINARY},
                "image/*": {"schema": BINARY},
                "application/octet-stream": {"schema": BINARY},
                "application/json": {"schema": {"$ref": REF.format(model=shape.__name__)}},
            },
        },
        "parameters": [_parameter(name, schema) for name, schema in options.items()],
    }


def batch_request() -> Json:
    """The body that brings items, in its forms, for `openapi_extra`."""
    properties = MediaItem.model_json_schema(ref_template=REF)["properties"]
    shapes = [{"$ref": REF.format(model=shape.__name__)} for shape in (NewItem, NewItems)]
    return {
        "requestBody": {
            "required": True,
            "description": "JSON with one item or, in `items`, many; a multipart form with one file or many; or the "
            "bytes of one file, with what is to be said of it in the query string. What a file is, is read from its "
            "bytes.",
            "content": {
                "application/json": {"schema": {"oneOf": shapes}},
                "multipart/form-data": {"schema": _many_files(_form(properties))},
                "audio/*": {"schema": BINARY},
                "image/*": {"schema": BINARY},
                "application/octet-stream": {"schema": BINARY},
            },
        },
        "parameters": [_parameter(name, schema) for name, schema in properties.items()],
    }


def file_request(media_type: str) -> Json:
    """The body that is a file, for `openapi_extra`."""
    return {"requestBody": {"required": True, "content": {media_type: {"schema": BINARY}}}}


def openapi_of(app: FastAPI) -> Callable[[], Json]:
    """The function that FastAPI calls for `/openapi.json`; the document is made once."""

    def document() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    return document


def _document(app: FastAPI) -> Json:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        servers=[
            {"url": "/", "description": "Always the newest version."},
            {"url": "/v1", "description": "The same handlers, for programs that want their version in the path."},
        ],
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    _, definitions = models_json_schema([(shape, "validation") for shape in SHAPES], ref_template=REF)
    schemas |= definitions["$defs"]
    for operations in document["paths"].values():
        for operation in operations.values():
            described = problem_responses(ANY_PROBLEMS).items()
            operation["responses"] |= {str(status): one for status, one in described}
    document["x-problems"] = [kind._asdict() for kind in problem_kinds()]
    return document


def _problem_response(status: int) -> Json:
    kinds = [kind for kind in problem_kinds() if kind.status == status]
    response: Json = {
        "description": "; ".join(f"`{kind.code}`: {kind.title}" for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": PROBLEM_REF}},
    }
    if status in (429, 503):
        response["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
    return response


def _form(options: Json) -> Json:
    file = {"type": "string", "format": "binary"}
    files = {
        "file": {**file, "description": "Audio or an image."},
        "audio": {**file, "description": "Audio, whatever its first bytes look like."},
        "image": {**file, "description": "An image, whatever its first bytes look like."},
    }
    one_file = [{"required": [name]} for name in files]
    return {"type": "object", "properties": {**files, **options}, "oneOf": one_file, "additionalProperties": False}


def _as_text(schema: Json) -> Json:
    """An option as it is outside of a body in JSON: what is an object there, is JSON as text here."""
    if not any(one.get("type") == "object" for one in schema.get("anyOf", ())):
        return schema
    return {"type": "string", "contentMediaType": "application/json", "description": schema["description"]}


def _many_files(form: Json) -> Json:
    """The same form, with as many files as one likes."""
    fields = {
        name: {"type": "array", "items": field} if field.get("format") == "binary" else field
        for name, field in form["properties"].items()
    }
    return {name: part for name, part in form.items() if name != "oneOf"} | {"properties": fields}


def _parameter(name: str, schema: Json) -> Json:
    parameter: Json = {"name": name, "in": "query", "required": False, "schema": schema}
    if schema.get("type") == "array":
        parameter |= {"style": "form", "explode": False}
    return parameter
