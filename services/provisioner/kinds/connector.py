"""The connector that copies the users table into its topic."""

from __future__ import annotations

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


class Connector(Resource):
    """``internal_topic`` (Debezium's schema history) goes with the connector's data."""

    def __init__(
        self,
        connect: ConnectClient,
        kafka: KafkaClient,
        config: dict[str, str],
        *,
        internal_topic: str,
        depends_on: tuple[str, ...],
    ) -> None:
        super().__init__(Kind.CONNECTOR, NAME, depends_on)
        self._connect = connect
        self._kafka = kafka
        self._config = config
        self._internal_topic = internal_topic

    async def observe(self) -> Observation:
        actual = await self._connect.config(self.name)
        if actual is None:
            return missing("there is no such connector")
        status = await self._connect.status(self.name)
        facts = {"connector": status.state, "tasks": list(status.tasks)} if status else {}
        differences = tuple(_masked(difference) for difference in compare(self._config, actual))
        if differences:
            fields = ", ".join(difference.field for difference in differences)
            return Observation(
                State.DRIFTED, Action.UPDATE, f"configured otherwise: {fields}", differences, facts=facts
            )
        if status is None:
            return Observation(State.FAILED, Action.DRIFTED, "Connect has not started it", facts=facts)
        if not status.running:
            state = State.FAILED if status.failed else State.DRIFTED
            return Observation(state, Action.DRIFTED, status.describe(), facts=facts)
        return unchanged(status.describe(), **facts)

    async def create(self) -> str:
        await self._connect.put_config(self.name, self._config)
        return "running"

    async def update(self, observation: Observation) -> str:
        await self._connect.put_config(self.name, self._config)
        return f"set {', '.join(difference.field for difference in observation.differences)}"

    async def mend(self, observation: Observation) -> str:
        await self._connect.restart_failed(self.name)
        return "running again"

    async def delete(self, *, data: bool) -> str:
        """Without ``data`` its position stays in Connect, so that a connector of the same name goes on from there."""
        await self._connect.delete(self.name, forget_offsets=data)
        if data:
            await self._kafka.delete([self._internal_topic])
        return "deleted with its position" if data else "deleted, its position is kept"


def _masked(difference: Difference) -> Difference:
    if not difference.field.endswith(_CONFIDENTIAL):
        return difference
    return Difference(
        difference.field,
        _MASK if difference.desired is not None else None,
        f"{_MASK} (another)" if difference.actual is not None else None,
    )
