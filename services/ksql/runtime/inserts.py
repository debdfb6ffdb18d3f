"""INSERT INTO ... VALUES and ``/inserts-stream``: rows that a client writes, through the source's own formats."""

from __future__ import annotations

import time
from collections.abc import Mapping
from random import randrange
from typing import Any

from services.ksql.engine.expressions import Layout, compile_one
from services.ksql.engine.records import OutputRecord
from services.ksql.errors import KsqlError
from services.ksql.model.commands import InsertValues
from services.ksql.model.schema import DataSource
from services.ksql.runtime.broker import BrokerError
from services.ksql.runtime.core import Core
from services.ksql.serde.base import EncodeError
from services.ksql.serde.formats import encoder
from shared.partitioner import partition_for

_NOTHING = Layout((), 0)


async def insert_values(core: Core, command: InsertValues) -> None:
    """Writes the row of an INSERT statement; it is acknowledged when this returns.

    Raises:
        KsqlError: a value does not fit, or the broker refused.
    """
    row = {v.name: compile_one(v.expression, _NOTHING)((), 0, None) for v in command.values}
    await insert_row(core, command.target, row)


async def insert_row(core: Core, target: DataSource, row: Mapping[str, Any]) -> None:
    """Writes ``row`` (values by column name, of the columns' types; absent ones are NULL) to ``target``.

    Raises:
        KsqlError: see ``insert_values``.
    """
    schema = target.schema
    try:
        key = encoder(target.key_format, schema.key, is_key=True)([row.get(c.name) for c in schema.key])
        written = tuple(c for c in schema.value if c.header is None)
        value = encoder(target.value_format, written)([row.get(c.name) for c in written])
    except EncodeError as error:
        raise KsqlError(f"Failed to insert values into '{target.name}'. {error}") from error
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
