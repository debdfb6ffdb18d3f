"""Topics: those that the provisioner makes, and the sinks that ksqlDB makes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from services.provisioner.clients.kafka import KafkaClient, TopicState
from services.provisioner.clients.polling import wait_until
from services.provisioner.rates import Growth
from services.provisioner.render import TopicDefinition
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


class _Topic(Resource):
    """What the two have in common: how they are looked at."""

    def __init__(self, kafka: KafkaClient, name: str, depends_on: tuple[str, ...] = ()) -> None:
        super().__init__(Kind.TOPIC, name, depends_on)
        self._kafka = kafka

    async def _facts(self, state: TopicState) -> dict[str, Any]:
        return {
            "partitions": state.partitions,
            "replication_factor": state.replication_factor,
            "under_replicated": state.under_replicated,
            "config": state.config,
        }

    async def _healthy(self, state: TopicState) -> Observation:
        """Under-replication passes when the broker is back: it is reported, but no apply repairs it."""
        shape, facts = f"{state.partitions} partitions, {state.replication_factor} replicas", await self._facts(state)
        if state.under_replicated:
            detail = f"{shape}; {state.under_replicated} partitions are under-replicated"
            return Observation(State.FAILED, Action.UNCHANGED, detail, facts=facts)
        return unchanged(shape, **facts)


class Topic(_Topic):
    """A source topic. Its settings are changed in place; partitions and replicas are not, because records would have to move."""

    def __init__(self, kafka: KafkaClient, definition: TopicDefinition) -> None:
        super().__init__(kafka, definition.name)
        self.definition = definition
        self._growth = Growth()

    async def observe(self) -> Observation:
        state = await self._kafka.describe(self.name)
        if state is None:
            return missing("there is no such topic", rebuilds=True)
        shape = _shape_differences(state, self.definition.partitions, self.definition.replication_factor)
        settings = compare(self.definition.config, state.config, "config.")
        if shape:
            return Observation(
                State.DRIFTED,
                Action.REPLACE,
                "; ".join(map(str, shape)),
                shape + settings,
                rebuilds=True,
                facts=await self._facts(state),
            )
        if settings:
            return Observation(
                State.DRIFTED, Action.UPDATE, "; ".join(map(str, settings)), settings, facts=await self._facts(state)
            )
        return await self._healthy(state)

    async def _facts(self, state: TopicState) -> dict[str, Any]:
        """With the rate, which is missing while a partition has no leader, and so no end."""
        return {**await super()._facts(state), "rate_per_s": await self._growth.measure(self._records)}

    async def _records(self) -> int:
        return sum((await self._kafka.end_offsets([self.name])).get(self.name, {}).values())

    async def create(self) -> str:
        definition = self.definition
        await self._kafka.create(
            self.name, definition.partitions, definition.replication_factor, dict(definition.config)
        )
        return f"made with {definition.partitions} partitions, {definition.replication_factor} replicas"

    async def update(self, observation: Observation) -> str:
        await self._kafka.set_config(self.name, self.definition.config)
        return f"set {', '.join(difference.field for difference in observation.differences)}"

    async def delete(self, *, data: bool) -> str:
        if not data:
            return "kept with its records"
        await self._kafka.delete([self.name])
        return "deleted"


class SinkTopic(_Topic):
    """A topic that ksqlDB makes for a query: it is watched, and waited for; only the query can make it anew.

    It has no rate: its offsets count transaction markers too. Its query reports what it writes.
    """

    def __init__(
        self, kafka: KafkaClient, name: str, query: str, *, partitions: int, replicas: int, patience: timedelta
    ) -> None:
        super().__init__(kafka, name, (query,))
        self._partitions = partitions
        self._replicas = replicas
        self._patience = patience

    async def observe(self) -> Observation:
        state = await self._kafka.describe(self.name)
        if state is None:
            return missing("there is no such topic; its query makes it")
        shape = _shape_differences(state, self._partitions, self._replicas)
        if shape:
            facts, detail = await self._facts(state), "; ".join(map(str, shape))
            return Observation(State.DRIFTED, Action.REPLACE, detail, shape, rebuilds=True, facts=facts)
        return await self._healthy(state)

    async def create(self) -> str:
        async def poll() -> str | None:
            state = await self._kafka.describe(self.name)
            return None if state and state.partitions >= self._partitions else "ksqlDB has not made it"

        await wait_until(
            poll, what=f"topic {self.name} is not there", within=self._patience, every=timedelta(milliseconds=150)
        )
        return "made by its query"

    async def delete(self, *, data: bool) -> str:
        """Deleting it under a running query would break that; the query deletes it when it has stopped."""
        return "goes with its query" if data else "kept with its records"


def _shape_differences(state: TopicState, partitions: int, replicas: int) -> tuple[Difference, ...]:
    wanted = {"partitions": partitions, "replication_factor": replicas}
    return compare(wanted, {"partitions": state.partitions, "replication_factor": state.replication_factor})
