"""What the server says of itself: version, health, statuses of commands."""

from __future__ import annotations

from typing import Any

from services.ksql.rest.descriptions import command_status
from services.ksql.rest.errors import SERVER_ERROR, generic_error
from services.ksql.runtime.broker import BrokerError
from services.ksql.runtime.core import Core

#: the version of ksqlDB whose behaviour this server has; clients read it
VERSION = "8.1.1"
_COMMAND_KINDS = frozenset({"stream", "table", "terminate", "pause", "resume", "topic", "type", "cluster", "property"})


class ClusterService:
    """Reads the state of one core."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def info(self) -> dict[str, Any]:
        """``/info``."""
        return {
            "KsqlServerInfo": {
                "version": VERSION,
                "kafkaClusterId": self._core.cluster_id,
                "ksqlServiceId": self._core.options.service_id,
                "serverStatus": "RUNNING" if self._core.ready.is_set() else "NOT_READY",
            }
        }

    def metadata(self) -> dict[str, Any]:
        """``/v1/metadata``."""
        clusters = {"kafka-cluster": self._core.cluster_id, "ksql-cluster": self._core.options.service_id}
        return {"version": VERSION, "clusterId": {"scope": {"path": [], "clusters": clusters}, "id": ""}}

    async def health(self) -> dict[str, Any]:
        """``/healthcheck``: whether Kafka answers, and whether commands and queries run."""
        try:
            await self._core.broker.cluster_id()
            kafka = True
        except BrokerError:
            kafka = False
        runs = self._core.is_healthy
        return {
            "isHealthy": kafka and runs,
            "details": {
                "metastore": {"isHealthy": self._core.ready.is_set()},
                "kafka": {"isHealthy": kafka},
                "commandRunner": {"isHealthy": runs},
            },
            "serverState": "READY" if self._core.ready.is_set() else "NOT_READY",
        }

    def statuses(self) -> dict[str, Any]:
        """``/status``."""
        statuses = self._core.command_runner.statuses
        return {"commandStatuses": {command_id: status.status for command_id, status in sorted(statuses.items())}}

    def status(self, kind: str, entity: str, action: str) -> dict[str, Any] | None:
        """``/status/{commandId}``; None if there was no such command.

        Raises:
            RestError: there is no such kind of command.
        """
        if kind not in _COMMAND_KINDS:
            name = f"io.confluent.ksql.rest.entity.CommandId.Type.{kind.upper()}"
            raise generic_error(f"No enum constant {name}", SERVER_ERROR)
        status = self._core.command_runner.statuses.get(f"{kind}/{entity}/{action}")
        return None if status is None else command_status(status)
