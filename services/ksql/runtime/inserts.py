"""INSERT INTO ... VALUES and ``/inserts-stream``: rows that a client writes, through the source's own formats."""

from __future__ import annotations

import time
from collections.abc import Mapping
from random import randrange
from typing import Any

from services.ksql.engine.client_rows import encoded_row, inserted_row
from services.ksql.engine.records import OutputRecord
from services.ksql.errors import KsqlError
from services.ksql.model.commands import InsertValues
from services.ksql.model.schema import DataSource
from services.ksql.runtime.broker import BrokerError
from services.ksql.runtime.core import Core
from shared.partitioner import partition_for


async def insert_values(core: Core, command: InsertValues) -> None:
    """Writes the row of an INSERT statement; it is acknowledged when this returns.

    Raises:
        KsqlError: a value does not fit, or the broker refused.
    """
    await insert_row(core, command.target, inserted_row(command))


async def insert_row(core: Core, target: DataSource, row: Mapping[str, Any]) -> None:
    """Writes ``row`` (values by column name, of the columns' types; absent ones are NULL) to ``target``.

    Raises:
        KsqlError: see ``insert_values``.
    """
    key, value = encoded_row(target, row)
    try:
        topic = await core.broker.topic(target.topic)
        if topic is None:
            raise KsqlError(f"Failed to insert values into '{target.name}'. Topic '{target.topic}' does not exist.")
        partition = randrange(topic.partitions) if key is None else partition_for(key, topic.partitions)  # noqa: S311
        rowtime = row.get("ROWTIME")
        timestamp = int(time.time() * 1000) if rowtime is None else int(rowtime)
        await core.broker.send(OutputRecord(target.topic, partition, key, value, timestamp))
    except BrokerError as error:
        raise KsqlError(f"Failed to insert values into '{target.name}'. {error}") from error
