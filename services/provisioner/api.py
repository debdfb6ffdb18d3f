"""The routes; what they do is in ``service``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from services.provisioner.runs import Run
from services.provisioner.schemas import (
    AuditOut,
    AuditState,
    PlanOut,
    RunOut,
    RunsOut,
    SamplesOut,
    StatusOut,
    TeardownIn,
)
from services.provisioner.service import Provisioner
from shared.errors import problem_responses

router = APIRouter(prefix="/provisioner", tags=["provisioner"])


async def _provisioner(request: Request) -> Provisioner:
    provisioner: Provisioner = request.app.state.provisioner
    return provisioner


Service = Annotated[Provisioner, Depends(_provisioner)]
Wait = Annotated[bool, Query(description="Answer 200 with the finished run instead of 202 at once")]

_RUN_ANSWERS = {
    200: {"model": RunOut, "description": "The finished run, with ?wait=true"},
    **problem_responses(401, 409, 502),
}


@router.get("/status", summary="How the pipeline is, resource by resource", responses=problem_responses(401))
async def status(service: Service) -> StatusOut:
    return StatusOut.of(await service.status())


@router.get("/plan", summary="What an apply would do, and why", responses=problem_responses(401))
async def plan(service: Service) -> PlanOut:
    return PlanOut.of(await service.plan())


@router.post("/apply", status_code=202, summary="Make the pipeline what it should be", responses=_RUN_ANSWERS)
async def apply(service: Service, response: Response, wait: Wait = False) -> RunOut:
    return await _answer(service, service.apply(), response, wait)


@router.post(
    "/teardown", status_code=202, summary="Take the pipeline away", responses=_RUN_ANSWERS | problem_responses(400)
)
async def teardown(
    service: Service, response: Response, wait: Wait = False, request: TeardownIn | None = None
) -> RunOut:
    run = service.tear_down(delete_topics=bool(request and request.delete_topics))
    return await _answer(service, run, response, wait)


@router.get("/runs", summary="Runs since the service started", responses=problem_responses(401))
async def runs(service: Service) -> RunsOut:
    return RunsOut(runs=[RunOut.model_validate(run) for run in service.runs.all()])


@router.get("/runs/{run_id}", summary="How far a run is", responses=problem_responses(401, 404))
async def run(service: Service, run_id: str) -> RunOut:
    return RunOut.model_validate(service.runs.get(run_id))


@router.get("/sample", summary="A few rows of every topic and table", responses=problem_responses(401, 429))
async def sample(
    service: Service, rows: Annotated[int, Query(ge=1, le=100, description="Rows of each")] = 5
) -> SamplesOut:
    return SamplesOut.model_validate(await service.sample(rows))


@router.post(
    "/verify",
    summary="Recompute every table from the source topics and compare",
    responses=problem_responses(401, 409, 502, 503, 504),
)
async def verify(service: Service) -> AuditOut:
    return AuditOut.of(await service.verify())


@router.get("/verify", summary="How far the audit is, and what the last one found", responses=problem_responses(401))
async def audit_state(service: Service) -> AuditState:
    progress, last = service.audit_progress, service.last_audit
    return AuditState(
        running=progress is not None,
        phase=progress.phase if progress else None,
        records_read=progress.records_read if progress else None,
        last=AuditOut.of(last) if last else None,
    )


async def _answer(service: Provisioner, run: Run, response: Response, wait: bool) -> RunOut:
    response.headers["Location"] = f"/provisioner/runs/{run.id}"
    if wait:
        response.status_code = 200
        run = await service.finish(run)
    return RunOut.model_validate(run)
