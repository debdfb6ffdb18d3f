"""Prints the committed values of a topic that hold a text, as one JSON list.

``python -m tests.compose.records KAFKA TOPIC TEXT``, run inside the network of the containers.
"""

from __future__ import annotations

import asyncio
import json
import sys

from tests.integration.sources import read_topic


async def values(bootstrap: str, topic: str, text: str) -> list[object]:
    records = await read_topic(bootstrap, topic)
    return [json.loads(record.value) for record in records if record.value and text.encode() in record.value]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(values(*sys.argv[1:]))))
