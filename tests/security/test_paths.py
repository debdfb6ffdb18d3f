"""Tricks in paths, names and queries: nothing is reached that has no route, and nothing fails inside."""

from __future__ import annotations

import httpx
import pytest

from services.generator.settings import Settings
from tests.security.apps import client_of

TRICKS = (
    "%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e%2f%2e%2e",
    "..%5c..%5cetc",
    "%00",
    "a%00b",
    "%ff%fe",
    "%ed%a0%80",
    "%252e%252e",
    "a;b=c",
    "%0d%0aSet-Cookie:%20x=1",
    "x" * 2_000,
    "%F0%9F%92%A9",
)
PLACES = (
    ("seeder", "/seeder/jobs/{}"),
    ("provisioner", "/provisioner/runs/{}"),
    ("generator", "/generator/{}"),
    ("generator", "/{}"),
)


@pytest.mark.parametrize(("service", "place"), PLACES)
async def test_tricks_in_the_path_find_nothing(service: str, place: str) -> None:
    async with client_of(service) as client:
        for trick in TRICKS:
            url = httpx.URL("http://localhost").copy_with(raw_path=place.format(trick).encode())
            answer = await client.get(url)
            assert (answer.status_code, answer.json()["type"]) == (404, "not-found"), trick
            assert "set-cookie" not in answer.headers
            assert "root:" not in answer.text


@pytest.mark.parametrize(
    "file",
    ["../settings.py", "..", "/etc/passwd", "a/b", "a\\b", "a\u0000.ndjson", "\u0430.ndjson", ".hidden", "", "x" * 300],
)
async def test_a_recording_is_a_plain_name(file: str) -> None:
    async with client_of("generator") as client:
        answer = await client.post("/generator/start", json={"profile": {"kind": "replay", "file": file}})
    assert (answer.status_code, answer.json()["type"]) == (422, "invalid-input")


async def test_queries_are_checked_before_they_reach_a_statement() -> None:
    async with client_of("provisioner") as client:
        for rows in ("1;DROP", "1e3", "0", "-1", "101", "9" * 5_000, "\u0661", "nan"):
            answer = await client.get("/provisioner/sample", params={"rows": rows})
            assert answer.status_code in (200, 422) and (answer.status_code == 422 or rows == "\u0661"), rows
    async with client_of("seeder") as client:
        for name in ("limit", "after"):
            for value in ("1 OR 1=1", "1;--", "-1", "9" * 5_000, "NaN"):
                answer = await client.get("/seeder/users", params={name: value})
                assert answer.status_code == 422, (name, value)
        assert (await client.get("/seeder/users", params={"order": "age"})).status_code == 422


def test_recordings_are_in_one_folder() -> None:
    assert not Settings().recordings.is_absolute()
