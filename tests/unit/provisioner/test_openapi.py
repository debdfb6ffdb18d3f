"""Schemathesis against the provisioner: nothing undocumented, no 500."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from services.provisioner.app import create_app
from services.provisioner.settings import Settings
from tests.unit.contract import contract
from tests.unit.provisioner.world import World
from tests.unit.serving import served

schema = contract(create_app(Settings()))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    world = World()
    with served(create_app(world.settings, world.servers)) as base_url:
        yield base_url


@schema.parametrize()
@settings(max_examples=15, suppress_health_check=list(HealthCheck))
def test_every_answer_is_documented(case: schemathesis.Case[Any], url: str) -> None:
    # what is one SELECT, and that a time needs its moment, is more than a schema says
    refusing = case.path in ("/provisioner/sql", "/provisioner/topics/{topic}/records")
    case.call_and_validate(base_url=url, excluded_checks=[positive_data_acceptance] if refusing else [])
