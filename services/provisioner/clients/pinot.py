"""Pinot's controller and broker REST APIs (observed on 0.11, read up for 1.4).

``POST /schemas`` overwrites in silence unless ``override=false``; ``POST /tables`` answers 409 if present and 500 if the topic is
missing; both kinds are validated first. A deletion is done when the external view is gone (a table made anew before that would
revive old segments) and each server has noticed: on 0.11 it looks once a second, drops what it holds under the name when it sees no
view, and so would drop a table made anew since. A missing table is 200 with ``{}`` on 0.11 and 404 on 1.x.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx

from services.provisioner.clients.polling import wait_until
from services.provisioner.errors import AlreadyThere, raised_as
from shared.errors import BadRequest, Conflict, NotFound, TransientUpstreamError, UpstreamError
from shared.http import call

#: concurrent read requests: an observation of all tables is 20 of them
_LOOKS = 4

_CONTROLLER = "Pinot controller"
_BROKER = "Pinot broker"

Json = dict[str, Any]

#: a server has noticed that a table is gone: twice the second after which it looks again
_NOTICED_WITHIN = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Consumption:
    """Per partition of the topic: the state of the segment that reads it, and the next offset it will read."""

    states: dict[int, str] = field(default_factory=dict)
    offsets: dict[int, int] = field(default_factory=dict)


class PinotClient:
    """Talks to one Pinot cluster."""

    def __init__(
        self,
        controller: httpx.AsyncClient,
        broker: httpx.AsyncClient,
        *,
        patience: timedelta,
        poll_interval: timedelta,
        notice_interval: timedelta = _NOTICED_WITHIN,
    ) -> None:
        self._controller = controller
        self._broker = broker
        self._patience = patience
        self._poll = poll_interval
        self._noticed_within = notice_interval
        self._looks = asyncio.Semaphore(_LOOKS)

    async def ping(self) -> None:
        """Raises if the controller or the broker does not answer or is unhealthy."""
        await asyncio.gather(
            call(self._controller, "GET", "/health", service=_CONTROLLER),
            call(self._broker, "GET", "/health", service=_BROKER),
        )

    async def schema(self, name: str) -> Json | None:
        """The schema, or None."""
        try:
            body: Json = (await self._get(f"/schemas/{name}")).json()
        except NotFound:
            return None
        return body or None

    async def table(self, name: str) -> Json | None:
        """The real-time table's configuration, or None."""
        try:
            body: Json = (await self._get(f"/tables/{name}")).json()
        except NotFound:
            return None
        return body.get("REALTIME")

    async def validate(self, schema: Json, table: Json) -> None:
        """Asks Pinot whether it would take the two.

        Raises:
            UpstreamError: it would not; the message is Pinot's.
        """
        with raised_as(UpstreamError, BadRequest):
            await self._send("POST", "/schemas/validate", json=schema)
            await self._send("POST", "/tableConfigs/validate", json=_table_configs(schema, table))

    async def create_schema(self, schema: Json) -> None:
        """Adds a schema.

        Raises:
            AlreadyThere: one of that name is there; it was not touched.
        """
        try:
            await self._send("POST", "/schemas", params={"override": "false"}, json=schema)
        except (Conflict, BadRequest) as error:
            if await self.schema(schema["schemaName"]) is not None:
                raise AlreadyThere(error.detail, **error.extra) from error
            raise UpstreamError(error.detail, **error.extra) from error

    async def update_schema(self, schema: Json) -> None:
        """Replaces a schema by a compatible one (a column more), then reloads the segments and waits for the job.

        Raises:
            UpstreamError: the change is not compatible.
        """
        name = schema["schemaName"]
        with raised_as(UpstreamError, BadRequest):
            await self._send("PUT", f"/schemas/{name}", json=schema)
        await self.reload(name)

    async def create_table(self, table: Json) -> None:
        """Adds a table; it consumes only later, see ``wait_consuming``.

        Raises:
            AlreadyThere: one of that name is there.
            TransientUpstreamError: its topic cannot be seen (yet).
        """
        try:
            with raised_as(AlreadyThere, Conflict):
                await self._send("POST", "/tables", json=table)
        except UpstreamError as error:
            if error.extra.get("upstream_status") == 500:
                raise TransientUpstreamError(error.detail, **error.extra) from error
            raise

    async def update_table(self, table: Json) -> None:
        """Replaces the configuration of a table that stays."""
        await self._send("PUT", f"/tables/{table['tableName']}", json=table)
        await self.reload(table["tableName"])

    async def reload(self, name: str) -> None:
        """Reloads every segment and waits for the job, where the answer names one."""
        response = await self._send("POST", f"/segments/{name}_REALTIME/reload", params={"type": "REALTIME"})
        job = _job_id(response.json())
        if job is None:
            return

        async def poll() -> str | None:
            body: Json = (await self._get(f"/segments/segmentReloadStatus/{job}")).json()
            done, total = int(body.get("successCount", 0)), int(body.get("totalSegmentCount", 0))
            return None if done >= total else f"{done} of {total} segments"

        await wait_until(poll, what=f"reload of {name} is not done", within=self._patience, every=self._poll)

    async def consumption(self, name: str) -> Consumption:
        """States of the table's consuming segments; empty if there are none."""
        try:
            body: Json = (await self._get(f"/tables/{name}/consumingSegmentsInfo")).json()
        except NotFound:
            return Consumption()
        states: dict[int, str] = {}
        offsets: dict[int, int] = {}
        for consumers in (body.get("_segmentToConsumingInfoMap") or {}).values():
            for consumer in consumers:
                positions = (consumer.get("partitionOffsetInfo") or {}).get("currentOffsetsMap")
                positions = positions or consumer.get("partitionToOffsetMap") or {}
                for partition, offset in positions.items():
                    states[int(partition)] = consumer["consumerState"]
                    offsets[int(partition)] = int(offset)
        return Consumption(states, offsets)

    async def wait_consuming(self, name: str, partitions: int) -> None:
        """Until every partition of the topic is consumed.

        Raises:
            NotReadyInTime: not before the deadline.
        """

        async def poll() -> str | None:
            states = (await self.consumption(name)).states
            running = sum(state == "CONSUMING" for state in states.values())
            return None if running >= partitions else f"{running} of {partitions} partitions are consumed"

        await wait_until(poll, what=f"Pinot table {name} does not consume", within=self._patience, every=self._poll)

    async def delete(self, name: str) -> None:
        """Removes table and schema and waits until Pinot has really let go. Nothing there is fine."""
        deleted_now = False
        with suppress(NotFound):
            await self._send("DELETE", f"/tables/{name}", params={"type": "realtime", "retention": "0d"})
            deleted_now = True
        await self.wait_gone(name, deleted_now=deleted_now)
        with suppress(NotFound):
            await self._send("DELETE", f"/schemas/{name}")

    async def wait_gone(self, name: str, *, deleted_now: bool) -> None:
        """Until no segment of a deleted table is left; of one ``deleted_now``, also until its servers have noticed."""

        async def poll() -> str | None:
            for view in ("externalview", "idealstate"):
                try:
                    body: Json = (await self._get(f"/tables/{name}/{view}")).json()
                except NotFound:
                    continue
                if body.get("REALTIME"):
                    return f"the {view} still has {len(body['REALTIME'])} segments"
            return None

        await wait_until(poll, what=f"Pinot table {name} is not gone", within=self._patience, every=self._poll)
        if deleted_now:
            await asyncio.sleep(self._noticed_within.total_seconds())

    async def extent(self, name: str) -> tuple[int, int | None]:
        """Rows that the table has read from its topic and holds, with those that newer ones have replaced, and the greatest
        ``updated_at`` (epoch ms), None without rows."""
        sql = f"SELECT COUNT(*) AS n, MAX(updated_at) AS newest FROM {name}"  # noqa: S608 - a name of ours
        rows = await self.query(sql, options="skipUpsert=true")
        if not rows:
            return 0, None
        # Pinot answers the maximum of no rows with minus infinity.
        newest = float(rows[0]["newest"])
        return int(rows[0]["n"]), int(newest) if 0 < newest < float("inf") else None

    async def query(self, sql: str, options: str = "") -> list[dict[str, Any]]:
        """The rows of one query, by column.

        Raises:
            UpstreamError: the answer has exceptions; Pinot sends those with status 200.
        """
        names, rows = await self.table_of(sql, options)
        return [dict(zip(names, row, strict=True)) for row in rows]

    async def table_of(self, sql: str, options: str = "") -> tuple[list[str], list[list[Any]]]:
        """Column names and rows of one query. Raises as ``query``."""
        response = await call(
            self._broker, "POST", "/query/sql", service=_BROKER, json={"sql": sql, "queryOptions": options}
        )
        body: Json = response.json()
        if body.get("exceptions"):
            first = body["exceptions"][0]
            raise UpstreamError(f"{_BROKER}: {first.get('message', first)}", error_code=first.get("errorCode"))
        result = body.get("resultTable")
        if result is None:
            return [], []
        return list(result["dataSchema"]["columnNames"]), list(result["rows"])

    async def _get(self, path: str) -> httpx.Response:
        async with self._looks:
            return await call(self._controller, "GET", path, service=_CONTROLLER)

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        return await call(self._controller, method, path, service=_CONTROLLER, **options)


def _table_configs(schema: Json, table: Json) -> Json:
    return {"tableName": table["tableName"], "schema": schema, "realtime": table}


def _job_id(body: Any) -> str | None:
    """0.11 and 1.x put the job's id at different depths, and as JSON in a text."""
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("reloadJobId"), str):
                found.append(value["reloadJobId"])
            for item in value.values():
                walk(item)
        elif isinstance(value, str) and "reloadJobId" in value:
            _, _, rest = value.partition("reloadJobId")
            parts = [part for part in rest.replace("'", '"').split('"') if part.strip(' :{},"')]
            found.extend(parts[:1])

    walk(body)
    return found[0] if found else None
