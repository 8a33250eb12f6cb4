"""`/` and `/docs`: the two pages, and the files they need; nothing comes from anywhere else.

All of them are the same for everybody, so they may be compressed: no length tells of anything secret in them.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request, Response, status
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Receive, Scope, Send

APP = Path(__file__).resolve().parents[1]
CACHE = "no-cache"  # keep it, but ask whether it is still the newest

router = APIRouter(include_in_schema=False)


def _folder(name: str) -> StaticFiles:
    return StaticFiles(directory=APP / name)


PAGE, REFERENCE = _folder("page"), _folder("reference")


@router.get("/")
async def page(request: Request) -> Response:
    return await _file(PAGE, "index.html", request)


@router.get("/page/{path:path}")
async def page_file(request: Request, path: str) -> Response:
    return await _file(PAGE, path, request)


@router.get("/docs")
async def docs(request: Request) -> Response:
    return await _file(REFERENCE, "index.html", request)


@router.get("/docs/{path:path}")
async def docs_file(request: Request, path: str) -> Response:
    return await _file(REFERENCE, path, request)


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    return _Compressed(JSONResponse(request.app.openapi()))


async def _file(folder: StaticFiles, path: str, request: Request) -> Response:
    response = await folder.get_response(path, request.scope)
    response.headers["Cache-Control"] = CACHE
    # Weak: it stands for the file, compressed or not.
    response.headers["ETag"] = f"W/{response.headers['etag']}"
    if response.status_code == status.HTTP_304_NOT_MODIFIED:
        response.headers["Vary"] = "Accept-Encoding"  # as the file itself had it
    return _Compressed(response)


class _Compressed(Response):
    """An answer for those who take it compressed, and for those who do not."""

    def __init__(self, plain: Response) -> None:
        super().__init__()
        self._answer = GZipMiddleware(plain)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(scope, receive, send)
