"""A small service, put together as the real ones are."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from shared.errors import Conflict
from shared.problems import problem_responses
from shared.settings import ServiceSettings
from shared.web import create_service_app


class Wish(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rate: float = Field(ge=0, allow_inf_nan=False)


def make_router() -> APIRouter:
    router = APIRouter()

    @router.post("/start", responses=problem_responses(409))
    async def start(wish: Wish) -> Wish:
        if wish.rate > 10:
            raise Conflict("Already running; stop it first.", status_now="running")
        if wish.rate == 7:
            raise RuntimeError("secret detail")
        return wish

    return router


def make_app(token: str | None = None, **settings: Any) -> FastAPI:
    async def broken() -> None:
        raise ConnectionError("nobody there")

    async def fine() -> None:
        return None

    return create_service_app(
        name="demo",
        summary="A demo",
        settings=ServiceSettings(port=1, api_token=SecretStr(token) if token else None, **settings),
        routers=[make_router()],
        checks=lambda _: {"kafka": fine, "mysql": broken},
    )
