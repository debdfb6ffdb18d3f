"""Recomputes every result table from the raw topics and prints what Pinot holds differently, as a JSON list of lines.

``python -m tests.compose.recomputation KAFKA PINOT_BROKER_URL``, run inside the network of the containers.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress

from shared.topics import PAGE_VIEW, USER_SESSION, USERS
from tests.integration.comparison import actual_tables, table_differences
from tests.integration.recompute import expected_tables
from tests.integration.sources import read_topic
from tests.patience import eventually

EQUAL_WITHIN_S = 120


async def differences(bootstrap: str, broker_url: str) -> list[str]:
    """What still differs when the results have had time to arrive."""
    found: list[str] = []

    async def equal() -> bool:
        nonlocal found
        expected = expected_tables(*[await read_topic(bootstrap, topic) for topic in (PAGE_VIEW, USER_SESSION, USERS)])
        found = table_differences(expected, await actual_tables(broker_url, expected))
        return not found

    with suppress(AssertionError):
        await eventually(equal, within_s=EQUAL_WITHIN_S, every_s=1)
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(differences(*sys.argv[1:]))))
