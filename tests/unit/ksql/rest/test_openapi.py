"""Schemathesis against the ksql surface, over a broker in memory: every answer is documented, a 500 being one that ksqlDB has too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from services.ksql.app import core_options, create_app
from services.ksql.runtime.core import Core
from services.ksql.settings import Settings
from tests.unit.contract import contract
from tests.unit.ksql.inline_runtime import InlineRuntime
from tests.unit.ksql.memory_broker import MemoryBroker
from tests.unit.serving import served

#: /clusterStatus answers as a server that is no cluster does: 404 as JSON, without any
schema = contract(create_app(Settings())).exclude(path="/clusterStatus")
#: a schema cannot say which text is a statement that can be run, and ksqlDB takes what it can of a body
_NOT_OURS: list[Any] = [not_a_server_error, positive_data_acceptance, negative_data_rejection]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    options = Settings()
    core = Core(MemoryBroker(), core_options(options))
    with served(create_app(options, runtime=InlineRuntime(core))) as base_url:
        yield base_url


@schema.parametrize()
@settings(max_examples=10, suppress_health_check=list(HealthCheck))
def test_every_answer_is_documented(case: schemathesis.Case[Any], url: str) -> None:
    answer = case.call_and_validate(base_url=url, excluded_checks=_NOT_OURS)
    assert "internal-error" not in answer.text
