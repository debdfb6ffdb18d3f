"""The generator's routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query
from sse_starlette import EventSourceResponse, ServerSentEvent

from services.generator.controller import Controller
from services.generator.schemas import (
    Preview,
    PreviewPoint,
    PreviewRequest,
    ProfileRequest,
    Profiles,
    RateRequest,
    StartRequest,
    Status,
    describe_profiles,
)
from shared.event_log import LoggedEvents
from shared.problems import problem_responses
from shared.web import of_state, slot_of

router = APIRouter(prefix="/generator", tags=["generator"])


Service = Annotated[Controller, of_state("controller")]
#: a subscriber that takes nothing for so long is gone
_READ_WITHIN_S = 30.0


@router.post("/start", summary="Start generating", responses=problem_responses(400, 401, 404, 409, 502, 503, 504))
async def start(body: StartRequest, controller: Service) -> Status:
    return await controller.start(body)


@router.post("/stop", summary="Stop, and wait until every event is accounted for", responses=problem_responses(401))
async def stop(controller: Service) -> Status:
    return await controller.stop()


@router.put("/rate", summary="Change the rate while running", responses=problem_responses(400, 401, 409))
async def rate(body: RateRequest, controller: Service) -> Status:
    return controller.set_rate(body.rate)


@router.put("/profile", summary="Change the profile while running", responses=problem_responses(400, 401, 409))
async def profile(body: ProfileRequest, controller: Service) -> Status:
    return controller.set_profile(body.profile)


@router.post("/pause", summary="Pause generation", responses=problem_responses(401, 409))
async def pause(controller: Service) -> Status:
    return controller.pause()


@router.post("/resume", summary="Resume generation", responses=problem_responses(401, 409))
async def resume(controller: Service) -> Status:
    return controller.resume()


@router.get("/status", summary="State, rates and counts", responses=problem_responses(401))
async def status(controller: Service) -> Status:
    return controller.status()


@router.get("/profiles", summary="The profiles and their fields", responses=problem_responses(401))
async def profiles() -> Profiles:
    return describe_profiles()


@router.post(
    "/profiles/preview",
    summary="The rate over time that a profile would give; nothing is changed",
    responses=problem_responses(400, 401),
)
async def preview(body: PreviewRequest) -> Preview:
    points = body.profile.preview(body.rate)
    return Preview(points=[PreviewPoint(seconds=seconds, rate=at) for seconds, at in points])


@router.get("/changes", summary="Starts, stops and changes, the last hundred", responses=problem_responses(401))
async def changes(
    controller: Service,
    since: Annotated[int, Query(ge=0, description="Only those after this id, or after this time in epoch ms")] = 0,
    limit: Annotated[int, Query(ge=1, le=100, description="The newest so many")] = 100,
) -> LoggedEvents:
    return controller.changes.since(since, limit)


@router.get(
    "/events",
    summary="The status as server-sent events",
    response_class=EventSourceResponse,
    dependencies=[slot_of("subscribers")],
    responses=problem_responses(401, 429) | {200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def events(
    controller: Service,
    interval_s: Annotated[float, Query(ge=0.1, le=60, description="Seconds between two events")] = 1.0,
    count: Annotated[int | None, Query(ge=1, le=100_000, description="End after this many; without it never")] = None,
) -> EventSourceResponse:
    async def stream() -> AsyncIterator[ServerSentEvent]:
        sent = 0
        while True:
            yield ServerSentEvent(data=controller.status().model_dump_json(), event="status")
            sent += 1
            if count is not None and sent >= count:
                return
            await asyncio.sleep(interval_s)

    return EventSourceResponse(stream(), send_timeout=_READ_WITHIN_S)
