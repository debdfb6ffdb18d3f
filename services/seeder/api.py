"""The seeder's routes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from services.seeder.schemas import (
    MAX_ID,
    Deleted,
    JobAnswer,
    JobStatus,
    MutationsRequest,
    SeedRequest,
    Stats,
    Status,
    UserDeleted,
    UserPage,
    UserQuery,
)
from services.seeder.service import Seeder
from shared.problems import problem_responses
from shared.web import of_state

router = APIRouter(prefix="/seeder", tags=["seeder"])


Service = Annotated[Seeder, of_state("seeder")]
_DATABASE_PROBLEMS = (401, 503, 504)


@router.post(
    "/seed",
    status_code=202,
    summary="Create users, in a job",
    responses=problem_responses(*_DATABASE_PROBLEMS, 400, 409)
    | {200: {"model": JobAnswer, "description": "With wait=true: the finished job"}},
)
async def seed(
    body: SeedRequest,
    seeder: Service,
    response: Response,
    wait: Annotated[bool, Query(description="Answer when the job has ended")] = False,
) -> JobAnswer:
    job = seeder.seed(body)
    response.headers["Location"] = f"/seeder/jobs/{job.id}"
    if wait:
        await seeder.finished(job)
        response.status_code = 200
    return JobAnswer.of(job)


@router.get("/jobs/{job_id}", summary="Progress of a job", responses=problem_responses(401, 404))
async def job(job_id: str, seeder: Service) -> JobAnswer:
    return JobAnswer.of(seeder.jobs.get(job_id))


@router.delete(
    "/jobs/{job_id}", summary="Cancel a job; what it wrote is rolled back", responses=problem_responses(401, 404)
)
async def cancel(job_id: str, seeder: Service) -> JobAnswer:
    return JobAnswer.of(await seeder.jobs.cancel(seeder.jobs.get(job_id)))


@router.get("/status", summary="Number of users", responses=problem_responses(*_DATABASE_PROBLEMS))
async def status(seeder: Service) -> Status:
    return await seeder.status()


@router.get("/users", summary="Users, page by page", responses=problem_responses(*_DATABASE_PROBLEMS))
async def users(query: Annotated[UserQuery, Query()], seeder: Service) -> UserPage:
    return await seeder.users(query)


@router.delete("/users", summary="Delete every user", responses=problem_responses(*_DATABASE_PROBLEMS, 409))
async def delete_users(seeder: Service) -> Deleted:
    job = await seeder.delete_all()
    return Deleted(deleted=job.done, job=JobStatus.of(job))


@router.delete("/users/{user_id}", summary="Delete one user", responses=problem_responses(*_DATABASE_PROBLEMS))
async def delete_user(user_id: Annotated[int, Path(ge=1, le=MAX_ID)], seeder: Service) -> UserDeleted:
    """Kafka Connect turns it into a tombstone. Repeating it changes nothing."""
    return await seeder.delete_user(user_id)


@router.get(
    "/stats", summary="Users by country, tier, gender, and gaps", responses=problem_responses(*_DATABASE_PROBLEMS)
)
async def stats(seeder: Service) -> Stats:
    return await seeder.stats()


@router.post(
    "/mutations",
    status_code=202,
    summary="Change users continuously, in a job",
    responses=problem_responses(*_DATABASE_PROBLEMS, 400, 409),
)
async def mutate(body: MutationsRequest, seeder: Service, response: Response) -> JobAnswer:
    job = seeder.mutate(body)
    response.headers["Location"] = f"/seeder/jobs/{job.id}"
    return JobAnswer.of(job)


@router.delete("/mutations", summary="Stop the changes", responses=problem_responses(401, 404))
async def stop_mutations(seeder: Service) -> JobAnswer:
    return JobAnswer.of(await seeder.stop_mutations())
