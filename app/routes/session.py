"""`/session`: the page hands its key in once, because pictures cannot bring a header with them."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.access.guard import COOKIE
from app.access.keys import ApiKeys
from app.errors import Unauthorized

router = APIRouter(include_in_schema=False)


class SessionRequest(BaseModel):
    """An API key."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)
    key: str = Field(min_length=1, max_length=256, pattern=r"^[\x21-\x7e]+$")


@router.post("/session", status_code=204)
async def open_session(request: Request, session: SessionRequest) -> Response:
    """Keep an API key in a cookie that no script can read and no other site can use."""
    keys = cast(ApiKeys, request.app.state.api_keys)
    if keys and keys.find(session.key) is None:
        raise Unauthorized("This API key is not known here.")
    answer = Response(status_code=204)
    answer.set_cookie(
        COOKIE, session.key, path="/", httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
    return answer


@router.delete("/session", status_code=204)
async def close_session() -> Response:
    """Take the cookie away again."""
    answer = Response(status_code=204)
    answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
    return answer
