"""Routes to explore the data: records of topics (``records``) and read-only SQL (``sql``)."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from services.provisioner import records
from services.provisioner.api import Service
from services.provisioner.decoding import key_decoders
from services.provisioner.sql import MAX_TEXT, Engine, run
from shared.concurrency_limit import ConcurrencyLimit
from shared.json import dumps, renderable
from shared.problems import problem_responses

#: each takes a consumer, or rows of a server, in memory
_AT_ONCE = 4

router = APIRouter(prefix="/provisioner", tags=["provisioner"])
_limit = ConcurrencyLimit(_AT_ONCE, "queries")


class RecordsIn(BaseModel):
    """Which records; everything may be left out."""

    start: records.Start = Field("newest", alias="from", description="Where to begin")
    at: int | None = Field(None, ge=0, le=2**62, description="The time in epoch milliseconds, or the offset")
    partition: int | None = Field(None, ge=0, le=100_000)
    limit: int = Field(50, ge=1, le=200)
    key: str | None = Field(None, max_length=1_000, description="Exactly this key, as it is shown")
    contains: str | None = Field(None, max_length=1_000, description="Text in key or value, in any case")


class Header(BaseModel):
    name: str
    value: str | None


class RecordOut(BaseModel):
    """One record, decoded."""

    partition: int
    offset: int
    timestamp: int = Field(description="The record's own, epoch milliseconds")
    key: str | int | None
    window_start: int | None = Field(description="Of a windowed key, epoch milliseconds")
    window_end: int | None
    headers: list[Header]
    value: Any = Field(
        description='JSON; null: a tombstone; {"malformed": ...}: no JSON; {"cut": ...}: too long to be shown'
    )
    size: int = Field(description="Bytes of key and value")


class Bounds(BaseModel):
    partition: int
    begin: int
    end: int


class RecordsOut(BaseModel):
    """Records of one topic, oldest first."""

    topic: str
    partitions: list[Bounds]
    records: list[RecordOut]
    scanned: int = Field(description="Records that were read to find these")
    complete: bool = Field(description="false: the bound of records or time was reached before all were observed")


class SqlIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"engine": "pinot", "sql": "SELECT * FROM pageview_tumbling LIMIT 10"}]},
    )

    engine: Engine
    sql: str = Field(min_length=1, max_length=MAX_TEXT, description="One SELECT; a LIMIT of at most 1,000")


class SqlOut(BaseModel):
    """The rows of one query."""

    engine: Engine
    sql: str = Field(description="What was run: without comments, with a LIMIT")
    columns: list[str]
    rows: list[list[Any]]
    cut: bool = Field(description="There were more rows")
    took_ms: float


@router.get(
    "/topics/{topic}/records",
    summary="Records of a topic, decoded, bounded",
    response_class=Response,
    responses={200: {"model": RecordsOut}, **problem_responses(401, 404, 429, 502, 503, 504)},
)
async def topic_records(
    provisioner: Service,
    topic: Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,249}$")],
    asked: Annotated[RecordsIn, Query()],
) -> Response:
    query = records.Query(topic, asked.start, asked.at, asked.partition, asked.limit, asked.key, asked.contains)
    with _limit.take():
        page = await records.browse(provisioner.servers.kafka, key_decoders(provisioner.settings), query)
    found = asdict(page)
    found["partitions"] = [{"partition": p, "begin": b, "end": e} for p, (b, e) in page.partitions.items()]
    return _json(found)


@router.post(
    "/sql",
    summary="One read-only query on Pinot or ksqlDB",
    response_class=Response,
    responses={200: {"model": SqlOut}, **problem_responses(400, 401, 429, 502, 503, 504)},
)
async def run_sql(provisioner: Service, body: SqlIn) -> Response:
    with _limit.take():
        return _json(asdict(await run(provisioner.servers, body.engine, body.sql)))


def _json(value: Any) -> Response:
    """Whatever is in a record or a row can be answered."""
    return Response(dumps(renderable(value)), media_type="application/json")
