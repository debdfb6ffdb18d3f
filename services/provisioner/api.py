"""The routes; what they do is in ``service``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from services.provisioner.runs import Change
from services.provisioner.schemas import (
    AuditOut,
    AuditRun,
    AuditState,
    EventsOut,
    PlanOut,
    RunOut,
    RunsOut,
    SamplesOut,
    StatusDocument,
    StatusOut,
    TeardownIn,
)
from services.provisioner.service import Provisioner
from shared.problems import problem_responses
from shared.web import of_state

router = APIRouter(prefix="/provisioner", tags=["provisioner"])


Service = Annotated[Provisioner, of_state("provisioner")]
Wait = Annotated[bool, Query(description="Answer 200 with the finished run instead of 202 at once")]

_RUN_ANSWERS = {
    200: {"model": RunOut, "description": "The finished run, with ?wait=true"},
    **problem_responses(401, 409, 502),
}


_document = StatusDocument()


@router.get(
    "/status",
    summary="State of the pipeline, by resource",
    response_class=Response,
    responses={200: {"model": StatusOut}, **problem_responses(401)},
)
async def status(
    service: Service,
    fresh: Annotated[
        bool, Query(description="Look at every resource first; else it is what was last observed")
    ] = False,
    attention: Annotated[
        bool,
        Query(
            description="Observe the servers more often for a while; false: for a client that samples in the background"
        ),
    ] = True,
) -> Response:
    status = await service.status(fresh=fresh, attention=attention)
    return Response(_document.render(status), media_type="application/json")


@router.get("/events", summary="Changes of state, the last hundred", responses=problem_responses(401))
async def events(
    service: Service,
    since: Annotated[int, Query(ge=0, description="Only those after this id, or after this time in epoch ms")] = 0,
    limit: Annotated[int, Query(ge=1, le=100, description="The newest so many")] = 100,
) -> EventsOut:
    return EventsOut.of(service.events.since(since, limit))


@router.get("/plan", summary="Changes that an apply would make, with reasons", responses=problem_responses(401))
async def plan(service: Service) -> PlanOut:
    return PlanOut.of(await service.plan())


@router.post("/apply", status_code=202, summary="Create or repair the pipeline", responses=_RUN_ANSWERS)
async def apply(service: Service, response: Response, wait: Wait = False) -> RunOut:
    return await _answer(service, service.apply(), response, wait)


@router.post(
    "/teardown", status_code=202, summary="Remove the pipeline", responses=_RUN_ANSWERS | problem_responses(400)
)
async def teardown(
    service: Service, response: Response, wait: Wait = False, request: TeardownIn | None = None
) -> RunOut:
    run = service.tear_down(delete_topics=bool(request and request.delete_topics))
    return await _answer(service, run, response, wait)


@router.get("/runs", summary="Runs since the service started", responses=problem_responses(401))
async def runs(service: Service) -> RunsOut:
    return RunsOut(runs=[RunOut.model_validate(run) for run in service.changes.all()])


@router.get("/runs/{run_id}", summary="Progress of a run", responses=problem_responses(401, 404))
async def run(service: Service, run_id: str) -> RunOut:
    return RunOut.model_validate(service.changes.get(run_id))


@router.get("/sample", summary="A few rows of every topic and table", responses=problem_responses(401, 429))
async def sample(
    service: Service, rows: Annotated[int, Query(ge=1, le=100, description="Rows of each")] = 5
) -> SamplesOut:
    return SamplesOut.model_validate(await service.sample(rows))


@router.post(
    "/verify",
    status_code=202,
    summary="Recompute every table from the source topics and compare",
    response_model=None,
    responses={
        200: {"model": AuditOut, "description": "The report, with ?wait=true"},
        202: {"model": AuditRun, "description": "The audit has started; poll its Location"},
        **problem_responses(401, 409, 500, 502, 503, 504),
    },
)
async def verify(
    service: Service,
    response: Response,
    wait: Annotated[bool, Query(description="Answer 200 with the report instead of 202 at once")] = False,
) -> AuditRun | AuditOut:
    audit = service.verify()
    response.headers["Location"] = f"/provisioner/verify/{audit.id}"
    if wait and (report := (await service.finish(audit)).report) is not None:
        response.status_code = 200
        return AuditOut.of(report)
    return AuditRun.of(audit)


@router.get("/verify", summary="How far the audit is, and the last report", responses=problem_responses(401))
async def audit_state(service: Service) -> AuditState:
    audits = service.audits
    return AuditState.of(audits.current, audits.newest, service.last_audit)


@router.get("/verify/{run_id}", summary="Progress of an audit, and its report", responses=problem_responses(401, 404))
async def audit(service: Service, run_id: str) -> AuditRun:
    return AuditRun.of(service.audits.get(run_id))


async def _answer(service: Provisioner, run: Change, response: Response, wait: bool) -> RunOut:
    response.headers["Location"] = f"/provisioner/runs/{run.id}"
    if wait:
        response.status_code = 200
        run = await service.finish(run)
    return RunOut.model_validate(run)
