"""Routes of ksqlDB's REST API. Bodies are read raw: any content type is accepted, and broken JSON has ksqlDB's own messages."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from services.ksql.rest import properties as props
from services.ksql.rest.cluster import ClusterService
from services.ksql.rest.errors import NOT_FOUND, generic_error, missing_field, parse_body
from services.ksql.rest.inserts_stream import stream_inserts
from services.ksql.rest.queries import Endpoint, QueryService, stream_answer
from services.ksql.rest.rows import DELIMITED, JSON, V1
from services.ksql.rest.statements import StatementService
from services.ksql.runtime.thread import Runtime
from services.ksql.schemas import (
    CloseQueryRequest,
    KsqlErrorBody,
    KsqlRequest,
    QueryStreamRequest,
    TerminateClusterRequest,
)
from services.ksql.settings import Settings
from shared.json import dumps
from shared.web import of_state, slot_of

_ERROR = {"content": {JSON: {"schema": KsqlErrorBody.model_json_schema()}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    400: {"description": "The request or a statement of it cannot be run; ksqlDB's error document", **_ERROR},
    404: {"description": "Not found", "content": {JSON: _ERROR["content"][JSON], "text/html": {}}},
    406: {"description": "None of the formats in Accept can be had"},
    500: {"description": "What ksqlDB answers with 500 too, such as an empty body", **_ERROR},
    503: {"description": "The server does not answer requests yet, or cannot reach Kafka", **_ERROR},
}

router = APIRouter(tags=["ksqlDB"], responses=_ANSWERS)

M = TypeVar("M", bound=BaseModel)

_ACCEPTED = ("*/*", "application/*", JSON, V1, DELIMITED)


RuntimeOf = Annotated[Runtime, of_state("runtime")]
Configured = Annotated[Settings, of_state("settings")]


async def _statements(runtime: RuntimeOf, settings: Configured) -> StatementService:
    return StatementService(runtime.core, settings, f"{settings.host}:{settings.port}")


async def _queries(runtime: RuntimeOf) -> QueryService:
    return QueryService(runtime.core)


async def _cluster(runtime: RuntimeOf) -> ClusterService:
    return ClusterService(runtime.core)


Statements = Annotated[StatementService, Depends(_statements)]
Queries = Annotated[QueryService, Depends(_queries)]
Cluster = Annotated[ClusterService, Depends(_cluster)]


def _json(content: object, status: int = 200) -> Response:
    return Response(dumps(content), status_code=status, media_type=JSON)


def _is_acceptable(request: Request) -> bool:
    accept = request.headers.get("accept", "*/*")
    return any(part.split(";")[0].strip() in _ACCEPTED for part in accept.split(","))


def _accept(request: Request) -> str:
    return request.headers.get("accept", "")


def _is_http2(request: Request) -> bool:
    return bool(request.scope["http_version"] == "2")


async def _body(request: Request, model: type[M], entity: str, required: str | None = None) -> M:
    body = await request.body()
    content = parse_body(body, entity)
    if required is not None and required not in content:
        raise missing_field(body, entity, required)
    try:
        return model.model_validate({k: v for k, v in content.items() if v is not None})
    except ValidationError as error:
        first = error.errors()[0]
        raise generic_error(f"Invalid JSON in request: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _request_body(model: type[BaseModel]) -> dict[str, object]:
    """The OpenAPI entry of a body that is read raw."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}


@router.post(
    "/ksql",
    summary="Run statements",
    openapi_extra=_request_body(KsqlRequest),
    responses={417: {"description": "The topic of an ASSERT TOPIC is not as asserted", **_ERROR}},
)
async def run_statements(request: Request, runtime: RuntimeOf, statements: Statements) -> Response:
    """Everything but SELECT and PRINT. Answers a list with one entity per statement."""
    if not _is_acceptable(request):
        return Response(status_code=406)
    body = await _body(request, KsqlRequest, "KsqlRequest")
    entities = await runtime.call(
        statements.run, body.ksql, body.properties, sequence=body.sequence, variables=body.variables
    )
    return _json(entities)


@router.post(
    "/query",
    summary="Run a query, rows as ksql v1 JSON",
    openapi_extra=_request_body(KsqlRequest),
    dependencies=[slot_of("open_queries")],
)
async def query(request: Request, runtime: RuntimeOf, queries: Queries) -> Response:
    """A pull query answers all rows and ends; a push query (EMIT CHANGES) runs until its LIMIT or until the client disconnects."""
    if not _is_acceptable(request):
        return Response(status_code=406)
    body = await _body(request, KsqlRequest, "KsqlRequest")
    answer = await runtime.call(queries.open, body.ksql, body.properties, body.variables, Endpoint.QUERY)
    return stream_answer(runtime, queries, answer, _accept(request), default=V1, http2=_is_http2(request))


@router.post(
    "/query-stream",
    summary="Run a query, rows line by line",
    openapi_extra=_request_body(QueryStreamRequest),
    dependencies=[slot_of("open_queries")],
)
async def query_stream(request: Request, runtime: RuntimeOf, queries: Queries) -> Response:
    """As ``/query``; one metadata object, then one JSON array per row and line. ``Accept: application/json`` gives one array."""
    if not _is_acceptable(request):
        return Response(status_code=406)
    body = await _body(request, QueryStreamRequest, "QueryStreamArgs", required="sql")
    answer = await runtime.call(queries.open, body.sql, body.properties, body.variables, Endpoint.QUERY_STREAM)
    return stream_answer(runtime, queries, answer, _accept(request), default=DELIMITED, http2=_is_http2(request))


@router.post("/close-query", summary="End a push query", openapi_extra=_request_body(CloseQueryRequest))
async def close_query(request: Request, runtime: RuntimeOf, queries: Queries) -> Response:
    body = await _body(request, CloseQueryRequest, "CloseQueryArgs", required="queryId")
    if not await runtime.call(queries.close, body.query_id):
        raise generic_error(f"No query with id {body.query_id}")
    return Response()


@router.post("/inserts-stream", summary="Insert rows line by line")
async def inserts_stream(request: Request, runtime: RuntimeOf) -> Response:
    """The first line names the target (``{"target": "S"}``), each further line is a row; one answer line per row.

    ``Accept: application/json`` gives one array.
    """
    return await stream_inserts(runtime, await request.body(), _accept(request))


@router.get("/info", summary="Version, cluster and state")
async def info(cluster: Cluster) -> Response:
    return _json(cluster.info())


@router.get("/healthcheck", summary="Health, as ksqlDB reports it")
async def healthcheck(runtime: RuntimeOf, cluster: Cluster) -> Response:
    health = await runtime.call(cluster.health)
    return _json(health, 200 if health["isHealthy"] else 503)


@router.get("/status", summary="Statuses of all commands")
async def statuses(cluster: Cluster) -> Response:
    return _json(cluster.statuses())


@router.get("/status/{kind}/{entity}/{action}", summary="Status of one command")
async def status(kind: str, entity: str, action: str, cluster: Cluster) -> Response:
    """Names in the id of a create command have back-ticks (``%60``)."""
    found = cluster.status(kind, entity, action)
    if found is None:
        raise generic_error("Command not found", NOT_FOUND)
    return _json(found)


@router.post(
    "/ksql/terminate",
    summary="End all queries and drop all sources",
    openapi_extra=_request_body(TerminateClusterRequest),
)
async def terminate(request: Request, runtime: RuntimeOf, statements: Statements) -> Response:
    body = await _body(request, TerminateClusterRequest, "ClusterTerminateRequest")
    return _json(await runtime.call(statements.terminate_cluster, body.delete_topics))


@router.get("/clusterStatus", summary="Hosts of the cluster (off: one server is no cluster)")
async def cluster_status() -> Response:
    return Response(status_code=404, media_type=JSON)


@router.get("/is_valid_property/{name}", summary="Whether a property may be set")
async def is_valid_property(name: str) -> Response:
    props.check_allowed({name: ""})
    return _json(True)


@router.get("/properties", summary="Properties of the server")
async def properties(settings: Configured) -> Response:
    entries, _, defaults = props.listed(settings, {})
    return _json({"properties": entries, "overwrittenProperties": [], "defaultProperties": defaults})


@router.get("/v1/metadata", summary="Version and cluster ids")
@router.get("/serverMetadata", include_in_schema=False)
async def metadata(cluster: Cluster) -> Response:
    return _json(cluster.metadata())


@router.get("/v1/metadata/id", summary="Cluster ids")
async def metadata_id(cluster: Cluster) -> Response:
    return _json(cluster.metadata()["clusterId"])


@router.get("/chc/ready", summary="Ready (as in Confluent's health checks)")
@router.get("/chc/live", summary="Alive (as in Confluent's health checks)")
async def confluent_check() -> Response:
    return _json({})
