"""`/` and `/docs`: the two pages, and the files they need; nothing comes from anywhere else."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.staticfiles import StaticFiles

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


async def _file(folder: StaticFiles, path: str, request: Request) -> Response:
    response = await folder.get_response(path, request.scope)
    response.headers["Cache-Control"] = CACHE
    return response
