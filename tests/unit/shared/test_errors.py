from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from shared.errors import Conflict
from shared.settings import ServiceSettings
from tests.unit.shared.demo import make_app


def transport(token: str | None = None) -> httpx.ASGITransport:
    return httpx.ASGITransport(make_app(token), raise_app_exceptions=False)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=transport(), base_url="http://localhost") as client:
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


@pytest.mark.parametrize("body", [b'{"rate": 1, "\\ud800": 2}', b'{"rate": "\\ud800"}', b'"\\ud800"'])
async def test_half_a_surrogate_pair_is_bad_input_too(client: httpx.AsyncClient, body: bytes) -> None:
    response = await client.post("/start", content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["type"]) == (422, "invalid-input")


async def test_many_faults_are_reported_in_short(client: httpx.AsyncClient) -> None:
    response = await client.post("/start", json={"rate": 1, **{"x" * 1000 + str(i): i for i in range(100)}})
    assert response.status_code == 422
    assert len(response.content) < 32_000


async def test_text_that_is_not_utf_8_is_a_bad_request_and_documented(client: httpx.AsyncClient) -> None:
    response = await client.post("/start", content=b'"\xff', headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["type"]) == (400, "bad-request")
    document = (await client.get("/openapi.json")).json()
    answer = document["paths"]["/start"]["post"]["responses"]["400"]["$ref"].rpartition("/")[2]
    assert "application/problem+json" in document["components"]["responses"][answer]["content"]


async def test_an_unknown_path_and_method_are_problems_too(client: httpx.AsyncClient) -> None:
    assert (await client.get("/nowhere")).json()["type"] == "not-found"
    wrong = await client.get("/start")
    assert (wrong.status_code, wrong.json()["status"], wrong.headers["allow"]) == (405, 405, "POST")
    assert wrong.json()["type"] == "method-not-allowed"
    assert wrong.json()["detail"] == "GET /start is not possible; this path takes POST."


@pytest.mark.parametrize("named", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", None])
async def test_a_body_that_does_not_say_that_it_is_json_gets_the_name_of_the_header_to_add(
    client: httpx.AsyncClient, named: str | None
) -> None:
    """The first is what curl names for -d without a header."""
    headers = {} if named is None else {"content-type": named}
    response = await client.post("/start", content=b'{"rate": 1}', headers=headers)
    assert (response.status_code, response.json()["type"]) == (415, "unsupported-media-type")
    assert "-H 'content-type: application/json'" in response.json()["detail"]
    assert response.headers["accept"] == "application/json"
    document = (await client.get("/openapi.json")).json()
    assert "415" in document["paths"]["/start"]["post"]["responses"]


async def test_another_spelling_of_json_is_json(client: httpx.AsyncClient) -> None:
    for named in ("application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"):
        response = await client.post("/start", content=b'{"rate": 1}', headers={"content-type": named})
        assert response.status_code == 200, named


async def test_an_unexpected_error_does_not_leak_its_text(client: httpx.AsyncClient) -> None:
    response = await client.post("/start", json={"rate": 7}, headers={"X-Request-ID": "abc-7"})
    assert response.status_code == 500
    assert "secret" not in response.text
    assert response.json()["request_id"] == response.headers["x-request-id"] == "abc-7"


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
    async with httpx.AsyncClient(transport=transport("s3cret"), base_url="http://localhost") as client:
        assert (await client.get("/healthz")).status_code == 200
        refused = await client.post("/start", json={"rate": 1})
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        allowed = await client.post("/start", json={"rate": 1}, headers={"Authorization": "Bearer s3cret"})
        assert allowed.status_code == 200


def test_an_open_host_without_a_token_is_refused() -> None:
    with pytest.raises(ValueError, match="PAGEPULSE_API_TOKEN"):
        ServiceSettings(port=1, host="0.0.0.0")
    assert ServiceSettings(port=1, host="0.0.0.0", api_token=SecretStr("x")).host == "0.0.0.0"
