"""Schemathesis against the seeder: nothing undocumented, no 500."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from services.seeder.app import create_app
from services.seeder.settings import Settings
from tests.unit.seeder.fakes import MemoryStore
from tests.unit.serving import served

schema = schemathesis.openapi.from_dict(create_app(Settings()).openapi())


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(create_app(Settings(), MemoryStore())) as base_url:
        yield base_url


@schema.parametrize()
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
def test_every_answer_is_documented(case: schemathesis.Case[Any], url: str) -> None:
    body: Any = case.body
    if isinstance(body, dict) and isinstance(body.get("count"), int) and 2_000 < body["count"] <= 1_000_000:
        # A million users are allowed, but take longer than an answer here may.
        body["count"] = 2_000
    case.call_and_validate(base_url=url)
