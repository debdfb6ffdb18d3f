"""The connector that copies the users table into its topic."""

from __future__ import annotations

from datetime import timedelta

from services.provisioner.clients.connect import ConnectClient
from services.provisioner.clients.kafka import KafkaClient
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

NAME = "users-source"

_CONFIDENTIAL = (".password", "_password")
_MASK = "***"

#: records since the last observation from which on they are read; records read per partition; keys whose values are kept
_REPEATS_LEAST, _REPEATS_READ, _REPEATS_KEYS = 200, 400, 200_000
#: of the records read; consecutive observations
_REPEATS_SHARE, _REPEATS_LOOKS = 0.9, 2


class Connector(Resource):
    """It writes ``topic``. ``internal_topic`` (Debezium's schema history) goes with the connector's data."""

    def __init__(
        self,
        connect: ConnectClient,
        kafka: KafkaClient,
        config: dict[str, str],
        *,
        topic: str,
        internal_topic: str,
        depends_on: tuple[str, ...],
    ) -> None:
        super().__init__(Kind.CONNECTOR, NAME, depends_on)
        self._connect = connect
        self._kafka = kafka
        self._config = config
        self._internal_topic = internal_topic
        polls = "jdbc" in config.get("connector.class", "").lower()
        self._repeats = _Repeats(kafka, topic) if polls else None

    async def observe(self) -> Observation:
        actual = await self._connect.config(self.name)
        if actual is None:
            return missing("there is no such connector")
        status = await self._connect.status(self.name)
        facts = {"connector": status.state, "tasks": list(status.tasks)} if status else {}
        differences = tuple(_masked(difference) for difference in compare(self._config, actual))
        if differences:
            fields = ", ".join(difference.field for difference in differences)
            return Observation(State.DRIFTED, Action.UPDATE, f"configuration drift: {fields}", differences, facts=facts)
        if status is None:
            return Observation(State.FAILED, Action.REPAIR, "Connect has not started it", facts=facts)
        if not status.running:
            state = State.FAILED if status.failed else State.DRIFTED
            return Observation(state, Action.REPAIR, status.describe(), facts=facts)
        if self._repeats is not None and await self._repeats.found():
            # An apply cannot help: the driver or the database has to be another one.
            detail = "it sends rows again and again that have not changed; see docs/operations.md, ConnectorRepeats"
            return Observation(State.FAILED, Action.UNCHANGED, detail, facts={**facts, "repeats": True})
        return unchanged(status.describe(), **facts)

    async def create(self) -> str:
        await self._connect.put_config(self.name, self._config)
        return "running"

    async def update(self, observation: Observation) -> str:
        await self._connect.put_config(self.name, self._config)
        return f"set {', '.join(difference.field for difference in observation.differences)}"

    async def repair(self, observation: Observation) -> str:
        await self._connect.restart_failed(self.name)
        return "running again"

    async def delete(self, *, data: bool) -> str:
        """Without ``data`` its position stays in Connect, so that a connector of the same name goes on from there."""
        await self._connect.delete(self.name, forget_offsets=data)
        if data:
            await self._kafka.delete([self._internal_topic])
        return "deleted with its position" if data else "deleted, its position is kept"


class _Repeats:
    """Notices a polling source that writes unchanged rows for ever (a driver that cuts the fractions of ``updated_at`` does that): the
    topic grows fast, and nearly all of its new records are what their keys had already, in two looks one after the other."""

    def __init__(self, kafka: KafkaClient, topic: str) -> None:
        self._kafka = kafka
        self._topic = topic
        self._ends: dict[int, int] | None = None
        self._values: dict[bytes | None, int] = {}
        self._looks = 0

    async def found(self) -> bool:
        """Looks at what has come since the last call."""
        ends = (await self._kafka.end_offsets([self._topic])).get(self._topic, {})
        before, self._ends = self._ends, dict(ends)
        if before is None:
            return False
        starts = {p: max(before.get(p, 0), end - _REPEATS_READ) for p, end in ends.items()}
        if sum(ends.values()) - sum(before.values()) < _REPEATS_LEAST:
            self._looks = 0
            return False
        read = repeated = 0
        async for records in self._kafka.read(self._topic, starts, ends, timedelta(seconds=5)):
            for record in records:
                value = hash(record.value)
                repeated += self._values.get(record.key) == value
                read += 1
                if record.key in self._values or len(self._values) < _REPEATS_KEYS:
                    self._values[record.key] = value
        self._looks = self._looks + 1 if repeated >= _REPEATS_SHARE * read else 0
        return self._looks >= _REPEATS_LOOKS


def _masked(difference: Difference) -> Difference:
    if not difference.field.endswith(_CONFIDENTIAL):
        return difference
    return Difference(
        difference.field,
        _MASK if difference.desired is not None else None,
        f"{_MASK} (another)" if difference.actual is not None else None,
    )
