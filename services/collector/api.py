"""The collector's routes. What browsers call needs no token; erasing does."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Template
from typing import Annotated, Any, Final
from uuid import uuid4

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from services.collector.schemas import Accepted, Forgotten, ForgottenState, RejectedPage, Replayed, Status
from services.collector.service import Collector
from shared.errors import BadRequest, NotFound
from shared.json import loads
from shared.problems import problem_responses
from shared.web import of_state

#: for browsers, on any page that the origin check lets through
public = APIRouter(tags=["collect"])
#: for operators, behind the token
router = APIRouter(prefix="/collect", tags=["operate"])

#: a transparent GIF of one pixel
_GIF: Final = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
_TYPES: Final[Mapping[str, str]] = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
_EVENT: Final = {
    "oneOf": [
        {"$ref": "#/components/schemas/VisitorEvent"},
        {"type": "array", "items": {"$ref": "#/components/schemas/VisitorEvent"}},
    ]
}


Service = Annotated[Collector, of_state("collector")]


@public.post(
    "/collect",
    status_code=202,
    summary="Send page views: one event, or a batch",
    response_model=Accepted,
    responses=problem_responses(400, 413, 429, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _EVENT}, "text/plain": {"schema": _EVENT}},
        }
    },
)
async def collect(request: Request) -> Response:
    """JSON as ``application/json``, or as ``text/plain`` as ``navigator.sendBeacon`` sends it. 202: what was accepted is durable."""
    collector: Collector = request.app.state.collector
    raw = await request.body()
    client = _client(request)
    try:
        body = loads(raw)
    except ValueError as error:
        await collector.reject(raw, f"not JSON: {error}", request.headers, client)
        raise BadRequest(f"The body is not JSON: {error}.") from error
    if not isinstance(body, dict | list):
        await collector.reject(raw, "neither an event nor a batch", request.headers, client)
        raise BadRequest("The body must be one event (an object) or a batch of events (an array).")
    answer = await collector.accept(body if isinstance(body, list) else [body], request.headers, client, raw)
    return Response(answer.model_dump_json(), 202, media_type="application/json")


@public.get(
    "/collect.gif",
    summary="Send a page view from a page without script",
    response_class=Response,
    responses=problem_responses(429, 503) | {200: {"content": {"image/gif": {}}}},
)
async def collect_gif(
    request: Request,
    collector: Service,
    url: Annotated[str | None, Query(max_length=2048, description="The page; without it the Referer header")] = None,
    referrer: Annotated[str, Query(max_length=2048, description="The page before")] = "",
) -> Response:
    """An image of one pixel. Without script there is no session: each view is a visit of its own."""
    page = url or request.headers.get("referer") or "/"
    event: dict[str, Any] = {"id": uuid4().hex, "session": uuid4().hex, "url": page[:2048], "referrer": referrer}
    await collector.accept([event], request.headers, _client(request))
    return Response(_GIF, media_type="image/gif", headers={"Cache-Control": "no-store"})


@public.get("/pagepulse.js", summary="The tracker", response_class=Response)
async def tracker() -> Response:
    """A script for ``<script src=".../pagepulse.js" defer></script>``; it sends to the address that it came from."""
    return _static("pagepulse.js")


@public.get("/shop", include_in_schema=False)
async def shop() -> Response:
    return RedirectResponse("/shop/", 308)


@public.get("/shop/{page:path}", summary="A small shop to try it with", response_class=Response)
async def shop_page(page: str) -> Response:
    return _static(f"shop/{page or 'index.html'}")


@router.get("/status", summary="What was accepted, and what waits for Kafka", responses=problem_responses(401))
async def status(collector: Service) -> Status:
    return collector.status()


@router.get(
    "/rejected",
    summary="Rejected events as they were sent, the newest or from an offset on",
    responses=problem_responses(401, 503),
)
async def rejected(
    collector: Service,
    start: Annotated[
        int | None, Query(alias="from", ge=0, le=2**63 - 1, description="Offset; without it the newest")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    reason: Annotated[str, Query(max_length=200, description="A field's name, or a part of the reason")] = "",
) -> RejectedPage:
    return await collector.rejected_events(start, limit, reason)


@router.post(
    "/rejected/replay",
    summary="Send rejected events again, once, up to 1,000 per request",
    responses=problem_responses(401, 503),
)
async def replay_rejected(
    collector: Service,
    start: Annotated[
        int | None, Query(alias="from", ge=0, le=2**63 - 1, description="The `next` of the answer before")
    ] = None,
    until: Annotated[int | None, Query(ge=0, le=2**63 - 1, description="The `end` of the first answer")] = None,
) -> Replayed:
    """Repeat it with `from` and `until` while `next` is below `end`. An event that is still not valid stays in the topic and is tried again
    at the next replay; one that was sent is not sent again."""
    return await collector.replay(start, until)


@router.get("/users/{user_id}", summary="Whether a user is forgotten", responses=problem_responses(401))
async def forgotten(user_id: Annotated[int, Path(ge=1, le=2**31 - 1)], collector: Service) -> ForgottenState:
    return collector.forgotten(user_id)


@router.delete(
    "/users/{user_id}", summary="Forget a user from here on", status_code=202, responses=problem_responses(401, 503)
)
async def forget(user_id: Annotated[int, Path(ge=1, le=2**31 - 1)], collector: Service) -> Forgotten:
    return await collector.forget(user_id)


def _client(request: Request) -> str:
    return request.client.host if request.client else ""


def _static(name: str) -> Response:
    content = _files().get(name)
    if content is None:
        raise NotFound(f"There is no page /{name}.")
    return Response(content, media_type=_TYPES[name.rpartition(".")[2]], headers={"Cache-Control": "max-age=300"})


@cache
def _files() -> Mapping[str, bytes]:
    """The served files by name: only what is here can be asked for."""
    root = files(__package__).joinpath("static")
    found = {item.name: item.read_bytes() for item in root.iterdir() if item.is_file()}
    frame = Template(found.pop("shop.html").decode())
    for item in root.joinpath("shop").iterdir():
        content = item.read_text("utf-8")
        if item.name.endswith(".html"):
            title, content = content.removeprefix("<!-- ").split(" -->\n", 1)
            content = frame.substitute(title=title, content=content)
        found[f"shop/{item.name}"] = content.encode()
    return found
