"""What a web page in somebody's browser may and may not do to a service on the same machine."""

from __future__ import annotations

import httpx
import pytest

from shared.origins import host_name
from tests.unit.shared.demo import make_app

HERE = "127.0.0.1:8001"


async def ask(
    method: str = "POST", path: str = "/start", *, allowed_hosts: str = "", allowed_origins: str = "", **headers: str
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    transport = httpx.ASGITransport(make_app(allowed_hosts=allowed_hosts, allowed_origins=allowed_origins))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HERE}") as client:
        return await client.request(method, path, json={"rate": 1} if method == "POST" else None, headers=named)


@pytest.mark.parametrize("host", [HERE, "localhost:8001", "LOCALHOST", "[::1]:8001", "10.0.3.7:8001", "localhost."])
async def test_addresses_and_localhost_are_ours(host: str) -> None:
    assert (await ask(host=host)).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example:8001", "localhost.evil.example", "generator:8001", "[", "a@localhost", ""],
)
async def test_another_name_is_refused_whatever_the_method(host: str) -> None:
    for method, path in (("POST", "/start"), ("GET", "/metrics"), ("GET", "/nowhere")):
        answer = await ask(method, path, host=host)
        assert (answer.status_code, answer.json()["type"]) == (403, "forbidden")
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


async def test_names_of_a_network_are_a_setting() -> None:
    names = "generator, *.pagepulse.svc"
    for host, status in (("generator:8001", 200), ("a.pagepulse.svc", 200), ("pagepulse.svc", 403), ("seeder", 403)):
        assert (await ask(host=host, allowed_hosts=names)).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example", "sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"},
        {"origin": "http://evil.example", "sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"},
        {"origin": "http://localhost:8501", "sec_fetch_site": "same-site"},
        {"origin": "null", "sec_fetch_site": "cross-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"http://{HERE}", "sec_fetch_site": "cross-site"},
    ],
)
async def test_a_page_of_another_origin_changes_nothing(headers: dict[str, str]) -> None:
    answer = await ask(**headers)
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": f"http://{HERE}", "sec_fetch_site": "same-origin"},
        {"origin": f"http://{HERE}"},
        {"sec_fetch_site": "none"},
    ],
)
async def test_programs_and_our_own_pages_may(headers: dict[str, str]) -> None:
    assert (await ask(**headers)).status_code == 200


async def test_a_link_may_be_followed_but_no_page_may_embed_us() -> None:
    cross_site = {"sec_fetch_site": "cross-site"}
    assert (await ask("GET", "/healthz", sec_fetch_mode="navigate", **cross_site)).status_code == 200
    assert (await ask("GET", "/healthz", sec_fetch_mode="no-cors", **cross_site)).status_code == 403


async def test_a_named_page_may() -> None:
    for origin, status in (("https://ops.example.org", 200), ("https://example.org", 403)):
        answer = await ask(allowed_origins="https://ops.example.org", origin=origin, sec_fetch_site="cross-site")
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("A.b:80", "a.b"),
        ("[::1]", "::1"),
        ("1.2.3.4:5", "1.2.3.4"),
        ("a:b", None),
        ("a/b", None),
        ("a?b", None),
        ("[::1", None),
        ("x@a", None),
        (":80", None),
    ],
)
def test_the_name_in_a_host_header(host: str, name: str | None) -> None:
    assert host_name(host) == name
