"""Real brokers for the tests of the embedded ksqlDB: those of PAGEPULSE_KAFKA_BOOTSTRAP, else those of the whole stack."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from shared.settings import ServiceSettings
from tests.integration.ksql.harness import KsqlServer


@pytest.fixture(scope="session")
def bootstrap(request: pytest.FixtureRequest) -> str:
    given = os.environ.get("PAGEPULSE_KAFKA_BOOTSTRAP")
    if given is None:
        request.getfixturevalue("stack")
        given = os.environ.get(
            "PAGEPULSE_KAFKA_BOOTSTRAP", str(ServiceSettings.model_fields["kafka_bootstrap"].default)
        )
    return given


@pytest.fixture
async def server(bootstrap: str) -> AsyncIterator[KsqlServer]:
    """A running server; its topics are deleted afterwards."""
    server = KsqlServer(bootstrap)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
        await server.client.aclose()
        await server.clean_up()
