"""``/healthz`` says that the process lives, ``/readyz`` that what it needs answers, ``/metrics`` what it has done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel, Field

from shared.single_flight import SingleFlight

Check = Callable[[], Awaitable[None]]
Checks = Callable[[FastAPI], Mapping[str, Check]]

#: a dependency that takes longer than this to answer a ping is as good as down
CHECK_DEADLINE_S = 2.0


class Health(BaseModel):
    status: str = Field(examples=["ok"])


class Readiness(BaseModel):
    """One entry per dependency: ``ok``, or why it is down."""

    ready: bool
    checks: dict[str, str] = Field(examples=[{"kafka": "ok"}])


def no_checks(_: FastAPI) -> Mapping[str, Check]:
    """For a service that depends on nothing."""
    return {}


def health_router(app: FastAPI, checks: Checks, registry: CollectorRegistry) -> APIRouter:
    """The three operational endpoints; they need no token, so that probes can reach them. Concurrent requests share the checks."""
    router = APIRouter(tags=["operations"])

    async def check_all() -> Readiness:
        named = checks(app)
        results = await asyncio.gather(*(_outcome(check) for check in named.values()))
        return Readiness(ready=all(r == "ok" for r in results), checks=dict(zip(named, results, strict=True)))

    shared = SingleFlight(check_all)

    @router.get("/healthz", summary="The process is alive")
    async def healthz() -> Health:
        return Health(status="ok")

    @router.get(
        "/readyz",
        summary="What the service needs is there",
        responses={503: {"model": Readiness, "description": "Something is down"}},
    )
    async def readyz(response: Response) -> Readiness:
        readiness = await shared.get()
        if not readiness.ready:
            response.status_code = 503
        return readiness

    @router.get(
        "/metrics",
        summary="Prometheus metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router


async def _outcome(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_DEADLINE_S):
            await check()
    except TimeoutError:
        return f"no answer within {CHECK_DEADLINE_S:g} s"
    except Exception as error:  # a probe reports whatever goes wrong, it must not fail itself
        return str(error) or type(error).__name__
    return "ok"
