"""Schemathesis against the generator: nothing undocumented, no 500. The event stream has no end and is tested by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from services.generator.app import create_app
from services.generator.settings import Settings
from tests.unit.contract import contract
from tests.unit.generator.fakes import FakeBroker, seeder
from tests.unit.serving import served

schema = contract(create_app(Settings())).exclude(path="/generator/events")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    # A generated request may ask for two million events a second, and a run outlasts the request: a broker that takes its time for
    # the little that may be in flight keeps any run cheap.
    broker = FakeBroker(slow_s=0.2, batch_limit=1_000, kept=1_000)
    with served(create_app(Settings(max_in_flight=1), broker, seeder(100))) as base_url:
        yield base_url


@schema.parametrize()
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
def test_every_answer_is_documented(case: schemathesis.Case[Any], url: str) -> None:
    case.call_and_validate(base_url=url)
