"""Pinot's real-time tables, each with the schema of the same name."""

from __future__ import annotations

import time

from services.provisioner.clients.kafka import KafkaClient
from services.provisioner.clients.pinot import Consumption, PinotClient
from services.provisioner.errors import AlreadyThere, NotReadyInTime
from services.provisioner.rates import Growth
from services.provisioner.render import PinotDefinition
from services.provisioner.resource import (
    Action,
    Difference,
    Kind,
    Observation,
    Resource,
    State,
    compare,
    missing,
    unchanged,
)
from shared.errors import TransientUpstreamError

_FIELD_LISTS = ("dimensionFieldSpecs", "metricFieldSpecs", "dateTimeFieldSpecs")

#: what cannot be changed under a table with rows: its identity, its source, how rows replace one another
_FIXED = ("schema.primaryKeyColumns", "table.upsertConfig", "table.ingestionConfig", "table.routing")


class PinotTable(Resource):
    """A table consumes one topic of ``partitions`` partitions."""

    def __init__(
        self,
        pinot: PinotClient,
        kafka: KafkaClient,
        definition: PinotDefinition,
        depends_on: tuple[str, ...],
        *,
        topic: str,
        partitions: int,
    ) -> None:
        super().__init__(Kind.PINOT_TABLE, definition.name, depends_on)
        self._pinot = pinot
        self._kafka = kafka
        self.definition = definition
        self.topic = topic
        self._partitions = partitions
        self._growth = Growth()

    async def observe(self) -> Observation:
        # Before anything of Pinot: all tables ask at the same time, and that is one request to Kafka.
        ends = await self._ends()
        schema = await self._pinot.schema(self.name)
        table = await self._pinot.table(self.name)
        if table is None:
            return missing("there is no such table" if schema is None else "there is its schema, but no table")
        differences = self._schema_differences(schema or {}) + self._table_differences(table)
        if differences:
            fixed = any(difference.field.startswith(_FIXED) or _retyped(difference) for difference in differences)
            fields = ", ".join(difference.field for difference in differences)
            action = Action.REPLACE if fixed else Action.UPDATE
            return Observation(State.DRIFTED, action, f"configuration drift: {fields}", differences)
        return await self._consumption(ends)

    async def _ends(self) -> dict[int, int]:
        return (await self._kafka.end_offsets([self.topic])).get(self.topic, {})

    async def _consumption(self, ends: dict[int, int]) -> Observation:
        """A table whose topic was deleted under it looks healthy and reads nothing more: its position is beyond the topic's end."""
        consumption = await self._pinot.consumption(self.name)
        if _beyond(consumption, ends):
            ends = await self._ends()  # they were older than the positions
        extent: list[int | None] = [None]

        async def rows() -> int:
            count, extent[0] = await self._pinot.extent(self.name)
            return count

        rate = await self._growth.measure(rows)
        lag = sum(max(0, end - consumption.offsets.get(p, 0)) for p, end in ends.items())
        running = sum(state == "CONSUMING" for state in consumption.states.values())
        facts = {
            "topic": self.topic,
            "consuming": running,
            "partitions": self._partitions,
            "offset_lag": lag,
            "rate_per_s": rate,
            "freshness_ms": None if extent[0] is None else max(0, round(time.time() * 1000) - extent[0]),
        }
        if ahead := _beyond(consumption, ends):
            detail = f"it reads partitions {ahead} beyond the end of {self.topic}, which was recreated"
            return Observation(State.DRIFTED, Action.REPLACE, detail, facts=facts)
        detail = f"{running} of {self._partitions} partitions consumed, {lag} records behind"
        if running < self._partitions:
            return Observation(State.FAILED, Action.REPAIR, detail, facts=facts)
        return unchanged(detail, **facts)

    async def create(self) -> str:
        """The schema first: a table without one is refused. One left by an earlier attempt is overwritten."""
        definition, schema_was_there = self.definition, False
        await self._pinot.validate(definition.schema, definition.table)
        try:
            await self._pinot.create_schema(definition.schema)
        except AlreadyThere:
            schema_was_there = True
            if self._schema_differences(await self._pinot.schema(self.name) or {}):
                await self._pinot.update_schema(definition.schema)
        if await self._pinot.table(self.name) is None:
            # a schema alone: its table was deleted, perhaps just now
            await self._pinot.wait_gone(self.name, deleted_now=schema_was_there)
        try:
            await self._pinot.create_table(definition.table)
        except AlreadyThere as error:
            observation = await self.observe()
            if observation.differences:
                raise TransientUpstreamError(f"{error.detail}; but {observation.detail}") from error
        await self._pinot.wait_consuming(self.name, self._partitions)
        return f"consumes {self.topic}"

    async def update(self, observation: Observation) -> str:
        fields = [difference.field for difference in observation.differences]
        if any(field.startswith("schema.") for field in fields):
            await self._pinot.update_schema(self.definition.schema)
        if any(field.startswith("table.") for field in fields):
            await self._pinot.update_table(self.definition.table)
        return f"changed {', '.join(fields)}"

    async def repair(self, observation: Observation) -> str:
        """Consuming segments that do not run need a moment after Pinot's start; if that does not help, only a new table does."""
        try:
            await self._pinot.wait_consuming(self.name, self._partitions)
        except NotReadyInTime:
            await self.delete(data=True)
            await self.create()
            return "recreated"
        return "consumes again"

    async def delete(self, *, data: bool) -> str:
        """Rows are always lost: Pinot keeps none without its table; the topic has them."""
        await self._pinot.delete(self.name)
        return "deleted"

    def _table_differences(self, actual: dict[str, object]) -> tuple[Difference, ...]:
        """The name is left out: Pinot answers it with the table's type appended."""
        wanted = {key: value for key, value in self.definition.table.items() if key != "tableName"}
        return compare(wanted, actual, "table.")

    def _schema_differences(self, actual: dict[str, object]) -> tuple[Difference, ...]:
        wanted, have = _columns(self.definition.schema), _columns(actual)
        found = list(compare(wanted, have, "schema."))
        found += [Difference(f"schema.{name}", None, str(have[name])) for name in sorted(set(have) - set(wanted))]
        keys, actual_keys = self.definition.schema["primaryKeyColumns"], actual.get("primaryKeyColumns")
        if keys != actual_keys:
            found.append(Difference("schema.primaryKeyColumns", str(keys), str(actual_keys)))
        return tuple(found)


def _beyond(consumption: Consumption, ends: dict[int, int]) -> list[int]:
    """Partitions that the table reads beyond their end."""
    return sorted(p for p, offset in consumption.offsets.items() if offset > ends.get(p, 0))


def _columns(schema: dict[str, object]) -> dict[str, str]:
    """Type of each column; Pinot adds defaults to the field specs, which say nothing."""
    found: dict[str, str] = {}
    for kind in _FIELD_LISTS:
        specs = schema.get(kind)
        for spec in specs if isinstance(specs, list) else ():
            found[spec["name"]] = f"{kind.removesuffix('FieldSpecs')} {spec['dataType']}"
    return found


def _retyped(difference: Difference) -> bool:
    """A column of another type, or one that is no more: Pinot can only add columns in place."""
    return difference.field.startswith("schema.") and difference.actual is not None
