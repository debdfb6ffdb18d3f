"""Connector statements, passed on to the Kafka Connect server of the settings, as ksqlDB does it. Nothing of them is logged here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

import httpx

from services.ksql.model.commands import ConnectorStatement, CreateConnector, DescribeConnector, DropConnector
from services.ksql.rest.descriptions import Entity, entity, warning
from services.ksql.rest.errors import SERVER_ERROR, RestError, generic_error
from shared.errors import Conflict, NotFound, PagePulseError
from shared.http import call, create_client

_SERVICE: Final = "Kafka Connect"
#: Connect asks the other system before it answers a CREATE
_TIMEOUT: Final = timedelta(seconds=30)
_NONE: Final = "Connection refused: this server has no Kafka Connect. Set PAGEPULSE_CONNECT_URL to its address."


async def run(url: str, text: str, command: ConnectorStatement) -> Entity:
    """The answer to CREATE, DROP or DESCRIBE.

    Raises:
        RestError: Connect is not set, cannot be reached, or refuses; the message is Connect's.
    """
    match command:
        case CreateConnector():
            return await _create(url, text, command)
        case DropConnector():
            return await _drop(url, text, command)
        case DescribeConnector():
            return await _describe(url, text, command.name)


async def listed(url: str, text: str, what: str) -> Entity:
    """SHOW [SOURCE | SINK] CONNECTORS and CONNECTOR PLUGINS. Raises RestError as ``run`` does."""
    if what == "CONNECTOR PLUGINS":
        plugins = await _request(url, "list connector plugins", "GET", "/connector-plugins")
        shown = [{"className": p["class"], "type": p["type"].upper(), "version": p.get("version")} for p in plugins]
        return entity("connector_plugins_list", text, connectorsPlugins=shown)
    found = await _request(url, "list connectors", "GET", "/connectors?expand=info&expand=status")
    wanted = what.removesuffix("CONNECTORS").strip()
    rows = [_row(name, one["info"], one["status"]) for name, one in sorted(found.items())]
    return entity("connector_list", text, connectors=[row for row in rows if wanted in ("", row["type"].upper())])


async def _create(url: str, text: str, command: CreateConnector) -> Entity:
    doing = "create connector"
    message = f"Connector {command.name} already exists"
    # Connect looks at the configuration before it looks at the name
    if command.if_not_exists and await _config(url, doing, command.name) is not None:
        return warning(text, message)
    # POST refuses a name that is taken, where a PUT would take its place
    body = {"name": command.name, "config": {**dict(command.config), "name": command.name}}
    try:
        made = await _request(url, doing, "POST", "/connectors", missing=(Conflict,), json=body)
    except Conflict as error:
        if await _config(url, doing, command.name) is None:
            raise generic_error(f"Failed to {doing}: {error}", SERVER_ERROR) from error
        raise generic_error(f"Failed to {doing}: {message}", SERVER_ERROR) from error
    info = {"name": made["name"], "config": made["config"], "tasks": made["tasks"], "type": made.get("type", "unknown")}
    return entity("connector_info", text, info=info)


async def _drop(url: str, text: str, command: DropConnector) -> Entity:
    try:
        await _request(url, "drop connector", "DELETE", _path(command.name), missing=(NotFound,))
    except NotFound as error:
        message = f"Connector {command.name} does not exist."
        if command.if_exists:
            return warning(text, f"Connector '{command.name}' does not exist.")
        raise generic_error(f"Failed to drop connector: {message}", SERVER_ERROR) from error
    return entity("drop_connector", text, connectorName=command.name)


async def _describe(url: str, text: str, name: str) -> Entity:
    doing = "query connector status"
    config = await _config(url, doing, name)
    if config is None:
        raise generic_error(f"Failed to {doing}: Connector {name} does not exist.", SERVER_ERROR)
    try:
        status = await _request(url, doing, "GET", f"{_path(name)}/status", missing=(NotFound,))
    except NotFound:
        # It is a moment old: no worker has it yet.
        status = {"name": name, "connector": {"state": "UNASSIGNED", "worker_id": ""}, "tasks": [], "type": "unknown"}
    topics = await _request(url, doing, "GET", f"{_path(name)}/topics")
    return entity(
        "connector_description",
        text,
        connectorClass=config.get("connector.class", ""),
        status=status,
        sources=[],
        topics=topics.get(name, {}).get("topics", []),
    )


async def _config(url: str, doing: str, name: str) -> dict[str, str] | None:
    try:
        found: dict[str, str] = await _request(url, doing, "GET", f"{_path(name)}/config", missing=(NotFound,))
    except NotFound:
        return None
    return found


def _row(name: str, info: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    running = sum(task["state"] == "RUNNING" for task in status["tasks"])
    state = status["connector"]["state"]
    shown = "WARNING" if state == "RUNNING" and running < len(status["tasks"]) else state
    return {
        "name": name,
        "type": info.get("type", "unknown"),
        "className": info["config"].get("connector.class", ""),
        "state": f"{shown} ({running}/{len(status['tasks'])} tasks RUNNING)",
    }


def _path(name: str) -> str:
    return f"/connectors/{quote(name, safe='')}"


async def _request(
    url: str, doing: str, method: str, path: str, *, missing: tuple[type[PagePulseError], ...] = (), **options: Any
) -> Any:
    """Connect's answer, None where it has no body. What is in ``missing`` goes to the caller, all else becomes a RestError."""
    if not url:
        raise generic_error(f"Failed to {doing}: {_NONE}", SERVER_ERROR)
    try:
        async with create_client(url, timeout=_TIMEOUT) as client:
            response = await call(client, method, path, service=_SERVICE, **options)
            return response.json() if response.content else None
    except missing:
        raise
    except (PagePulseError, httpx.InvalidURL, ValueError) as error:
        raise _failed(doing, error) from error


def _failed(doing: str, error: Exception) -> RestError:
    return generic_error(f"Failed to {doing}: {error}", SERVER_ERROR)
