"""Which scope a request needs."""

from __future__ import annotations

import pytest
from fastapi.routing import APIRoute

from app.access.scopes import needed_scope
from app.main import create_app
from app.settings import Settings

OPEN = {"/", "/livez", "/readyz", "/docs", "/docs/{path:path}", "/page/{path:path}", "/session"}


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/", None),
        ("GET", "/livez", None),
        ("GET", "/v1/readyz", None),
        ("GET", "/page/app.js", None),
        ("GET", "/info", "search"),
        ("GET", "/collections", "search"),
        ("GET", "/media/images/a", "search"),
        ("POST", "/search/images", "search"),
        ("POST", "/v1/keywords", "search"),
        ("POST", "/v1/embeddings", "search"),
        ("PUT", "/collections/mine", "write"),
        ("POST", "/collections/mine/items", "write"),
        ("DELETE", "/v1/collections/mine/items/a/b", "write"),
        ("POST", "/collections/mine/compact", "admin"),
        ("GET", "/collections/mine/snapshot", "admin"),
        ("POST", "/snapshots", "admin"),
        ("POST", "/v1/snapshots", "admin"),
        ("GET", "/metrics", "admin"),
        ("GET", "/v1/metrics", "admin"),
        ("PATCH", "/whatever", "admin"),
        ("POST", "//search/images", "admin"),
        ("POST", "/v1/v1/search/images", "admin"),
    ],
)
def test_the_scope_of_a_request(method: str, path: str, scope: str | None) -> None:
    assert needed_scope(method, path) == scope


def test_every_route_of_the_application_but_those_that_are_meant_to_is_closed() -> None:
    routes = [route for route in create_app(Settings()).routes if isinstance(route, APIRoute)]
    found = {
        route.path.removeprefix("/v1")
        for route in routes
        for method in route.methods or ()
        if needed_scope(method, route.path.replace("{path:path}", "x")) is None
    }
    assert found <= OPEN
