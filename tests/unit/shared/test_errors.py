from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter
from pydantic import BaseModel, Field, SecretStr

from shared.errors import Conflict, problem_responses
from shared.settings import ServiceSettings
from shared.web import create_service_app


class Wish(BaseModel):
    rate: float = Field(ge=0)


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


def make_app(token: str | None = None) -> httpx.ASGITransport:
    settings = ServiceSettings(port=1, api_token=SecretStr(token) if token else None)

    async def broken() -> None:
        raise ConnectionError("nobody there")

    async def fine() -> None:
        return None

    app = create_service_app(
        name="demo",
        title="Demo",
        summary="A demo",
        settings=settings,
        routers=[make_router()],
        checks=lambda _: {"kafka": fine, "mysql": broken},
    )
    return httpx.ASGITransport(app, raise_app_exceptions=False)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=make_app(), base_url="http://demo") as client:
        yield client


async def test_a_known_error_is_a_problem_with_its_extra_members(client: httpx.AsyncClient) -> None:
    response = await client.post("/start", json={"rate": 11}, headers={"X-Request-ID": "abc-1"})
    assert response.status_code == 409
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == {
        "type": "conflict",
        "title": Conflict.title,
        "status": 409,
        "detail": "Already running; stop it first.",
        "instance": "/start",
        "request_id": "abc-1",
        "status_now": "running",
    }


async def test_bad_input_names_the_field(client: httpx.AsyncClient) -> None:
    response = await client.post("/start", json={"rate": -1})
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "rate"


async def test_an_unknown_path_and_method_are_problems_too(client: httpx.AsyncClient) -> None:
    assert (await client.get("/nowhere")).json()["type"] == "not-found"
    wrong = await client.get("/start")
    assert (wrong.status_code, wrong.json()["status"], wrong.headers["allow"]) == (405, 405, "POST")


async def test_an_unexpected_error_does_not_leak_its_text(client: httpx.AsyncClient) -> None:
    response = await client.post("/start", json={"rate": 7})
    assert response.status_code == 500
    assert "secret" not in response.text


async def test_readiness_names_what_is_down(client: httpx.AsyncClient) -> None:
    response = await client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {"ready": False, "checks": {"kafka": "ok", "mysql": "nobody there"}}


async def test_the_document_describes_problems_only_as_problem_json(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    answers = document["paths"]["/start"]["post"]["responses"]
    assert list(answers["409"]["content"]) == ["application/problem+json"]
    assert list(answers["422"]["content"]) == ["application/problem+json"]
    assert "Problem" in document["components"]["schemas"]


async def test_a_token_is_asked_for_where_one_is_set_but_probes_pass() -> None:
    async with httpx.AsyncClient(transport=make_app("s3cret"), base_url="http://demo") as client:
        assert (await client.get("/healthz")).status_code == 200
        refused = await client.post("/start", json={"rate": 1})
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        allowed = await client.post("/start", json={"rate": 1}, headers={"Authorization": "Bearer s3cret"})
        assert allowed.status_code == 200


def test_an_open_host_without_a_token_is_refused() -> None:
    with pytest.raises(ValueError, match="PAGEPULSE_API_TOKEN"):
        ServiceSettings(port=1, host="0.0.0.0")
    assert ServiceSettings(port=1, host="0.0.0.0", api_token=SecretStr("x")).host == "0.0.0.0"
