"""Bodies that nobody means well: a clear problem each, never a 500, never a hang."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.json import dumps
from tests.drill import bound
from tests.patience import STEP_S
from tests.security.apps import BODIES, client_of

JSON = {"content-type": "application/json"}

HOSTILE = {
    "deep arrays": b"[" * 100_000,
    "deep arrays, closed": b"[" * 50_000 + b"]" * 50_000,
    "deep objects": b'{"a":' * 30_000 + b"1" + b"}" * 30_000,
    "deep value": b'{"rate":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "NaN": b'{"rate": NaN, "count": NaN, "updates_per_s": NaN, "delete_topics": NaN, "profile": NaN}',
    "infinity": b'{"rate": -Infinity, "count": Infinity, "updates_per_s": 1e999, "delete_topics": 1, "profile": 1}',
    "huge integer": b'{"rate": ' + b"9" * 5_000 + b"}",
    "large integer": b'{"rate": 1e308, "count": 1e308, "updates_per_s": 1e308, "delete_topics": 1, "profile": 1}',
    "not UTF-8": b'{"rate": "\xff\xfe"}',
    "half a pair": b'{"\\ud800": "\\udfff"}',
    "null byte": b'{"\\u0000": 1}',
    "UTF-16": '{"rate": 1}'.encode("utf-16-be")[:-1],
    "many names": dumps({f"name{i}": i for i in range(10_000)}),
    "long name": dumps({"n" * 100_000: 1}),
    "look-alike name": '{"r\u0430te": 1}'.encode(),
    "prototype": b'{"__proto__": {"rate": 1}, "constructor": 1}',
    "array": b"[1, 2]",
    "text": b'"rate"',
    "unfinished": b'{"rate": 1',
    "form": b"rate=1&count=1",
    "xml": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
}


@pytest.mark.parametrize(("service", "method", "path"), BODIES)
async def test_hostile_bodies_are_refused_as_problems(service: str, method: str, path: str) -> None:
    async with client_of(service) as client, asyncio.timeout(STEP_S):
        for name, body in HOSTILE.items():
            answer = await client.request(method, path, content=body, headers=JSON)
            assert 400 <= answer.status_code < 500, (name, answer.status_code, answer.text[:300])
            assert answer.headers["content-type"] == "application/problem+json", name
            assert len(answer.content) < 20_000, name


@pytest.mark.parametrize(("service", "method", "path"), BODIES)
async def test_a_body_that_does_not_say_it_is_json_does_nothing(service: str, method: str, path: str) -> None:
    """What a page may send across origins without asking first: these content types only."""
    async with client_of(service) as client:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            answer = await client.request(
                method, path, content=b'{"rate": 1, "delete_topics": true}', headers={"content-type": kind}
            )
            assert 400 <= answer.status_code < 500, (kind, answer.text)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["constant", "replay", "ramp"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_NAMED = """
rate profile kind duration_s max_events seed users skew late_fraction sources devices waves file speed to_rate over_s
count null_fraction mode updates_per_s deletes_per_s delete_topics
"""
NAMES = st.sampled_from(_NAMED.split())


@given(target=st.sampled_from(BODIES), body=st.dictionaries(NAMES, VALUES, max_size=4) | VALUES)
@settings(max_examples=bound(100, 5_000), suppress_health_check=list(HealthCheck))
async def test_random_bodies_never_fail_inside(target: tuple[str, str, str], body: Any) -> None:
    service, method, path = target
    if isinstance(body, dict) and isinstance(body.get("count"), int | float):
        body["count"] = 3  # as many users as the body says would be right, and take long
    async with client_of(service) as client, asyncio.timeout(STEP_S):
        answer = await client.request(method, path, json=body) if _is_json(body) else None
        assert answer is None or answer.status_code < 500, answer.text


def _is_json(value: Any) -> bool:
    """httpx sends neither NaN nor half a surrogate pair; those have their own cases above."""
    try:
        dumps(value).decode()
    except (TypeError, ValueError):
        return False
    return "NaN" not in repr(value).replace("nan", "NaN") and "inf" not in repr(value)
