"""Schemathesis against the seeder: nothing undocumented, no 500."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from services.seeder.app import create_app
from services.seeder.schemas import MAX_MUTATIONS_PER_S, MAX_USERS
from services.seeder.settings import Settings
from tests.unit.contract import contract
from tests.unit.seeder.fakes import MemoryStore
from tests.unit.serving import served

schema = contract(create_app(Settings()))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(create_app(Settings(), MemoryStore())) as base_url:
        yield base_url


@schema.parametrize()
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
def test_every_answer_is_documented(case: schemathesis.Case[Any], url: str) -> None:
    bound(case.body, "count", few=500, most=MAX_USERS)
    for name in ("updates_per_s", "deletes_per_s", "inserts_per_s"):
        bound(case.body, name, few=5, most=MAX_MUTATIONS_PER_S)
    case.call_and_validate(base_url=url)


def bound(body: Any, name: str, *, few: int, most: int) -> None:
    """A number that is allowed, and costs more than a generated request may, becomes ``few``; 765020.0 is such a number too."""
    value = body.get(name) if isinstance(body, dict) else None
    if isinstance(value, int | float) and not isinstance(value, bool) and few < value <= most:
        body[name] = few


@pytest.mark.parametrize(
    ("value", "sent"), [(765_020, 9), (765_020.0, 9), (8, 8), (1_000_001, 1_000_001), (True, True)]
)
def test_only_what_is_allowed_and_costly_is_bounded(value: float, sent: float) -> None:
    body = {"count": value}
    bound(body, "count", few=9, most=MAX_USERS)
    assert body == {"count": sent}
