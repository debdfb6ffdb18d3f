"""The resource files with the settings filled in.

The files under ``resources/`` hold ``$name`` placeholders; one that no setting knows is an error, and so is a file of a
broken format: both show at start, before anything reached a server.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template
from typing import Any

from services.provisioner.errors import BrokenResource
from services.provisioner.settings import Settings
from shared import dimension, topics
from shared.durations import milliseconds, to_ksql

Json = dict[str, Any]

_NUMBERED = re.compile(r"^(\d+)_(\w+)\.sql$")


@dataclass(frozen=True, slots=True)
class TopicDefinition:
    """A topic to make; ``config`` is what must be set on it, all else stays with the broker."""

    name: str
    partitions: int
    replication_factor: int
    config: dict[str, str]


@dataclass(frozen=True, slots=True)
class PinotDefinition:
    """A Pinot table; its schema has the same name (Pinot demands that)."""

    name: str
    schema: Json
    table: Json


@dataclass(frozen=True, slots=True)
class Definitions:
    """Everything the pipeline consists of, ready to be sent."""

    topics: tuple[TopicDefinition, ...]
    connector: Json
    statements: tuple[tuple[str, str], ...]
    pinot: tuple[PinotDefinition, ...]


def load(settings: Settings) -> Definitions:
    """All definitions.

    Raises:
        BrokenResource: a file cannot be parsed or names an unknown placeholder.
    """
    root = files("services.provisioner") / "resources"
    values = _values(settings)
    return Definitions(
        topics=_topics(root / "topics.toml", values),
        connector=_json(root / "connect" / f"{settings.connector}.json", values),
        statements=_statements(root / "ksql", values),
        pinot=_pinot(root / "pinot", values),
    )


def fill(text: str, values: dict[str, str], source: str) -> str:
    """``text`` with every ``$name`` replaced (``$$`` is a dollar sign).

    Raises:
        BrokenResource: an unknown name, or a lone dollar sign.
    """
    try:
        return Template(text).substitute(values)
    except KeyError as error:
        raise BrokenResource(f"{source}: no setting is called ${error.args[0]}") from error
    except ValueError as error:
        raise BrokenResource(f"{source}: {error}") from error


def _values(settings: Settings) -> dict[str, str]:
    windows = (
        "country_window",
        "tumbling_window",
        "hopping_window",
        "hopping_advance",
        "session_gap",
        "device_window",
        "page_window",
        "grace",
        "retention",
    )
    return {
        **{name: to_ksql(getattr(settings, name)) for name in windows},
        **{f"dimension_{name}": dimension.ksql(name) for name in ("source", "device", "country", "page")},
        "source_retention_ms": str(milliseconds(settings.source_retention)),
        "partitions": str(settings.partitions),
        "replicas": str(settings.replication_factor),
        "min_insync_replicas": str(settings.min_insync_replicas),
        "bootstrap": settings.servers_bootstrap,
        "pinot_consumer_factory": settings.pinot_consumer_factory,
        "pinot_replicas": str(settings.pinot_replicas),
        "pinot_retention_days": str(settings.pinot_retention_days),
        "jdbc_driver": settings.jdbc_driver,
        "jdbc_options": _JDBC_OPTIONS[settings.jdbc_driver],
        "mysql_host": settings.mysql_host,
        "mysql_port": str(settings.mysql_port),
        "mysql_database": settings.mysql_database,
        "cdc_user": settings.cdc_user,
        "cdc_password": settings.cdc_password.get_secret_value(),
        "schema_history_topic": SCHEMA_HISTORY_TOPIC,
        "page_view": topics.PAGE_VIEW,
        "user_session": topics.USER_SESSION,
        "users": topics.USERS,
        "cleaned_users": topics.CLEANED_USERS,
        "page_view_enriched": topics.PAGE_VIEW_ENRICHED,
        "page_view_country": topics.PAGE_VIEW_COUNTRY,
        "page_view_tumbling": topics.PAGE_VIEW_TUMBLING,
        "page_view_hopping": topics.PAGE_VIEW_HOPPING,
        "page_view_session": topics.PAGE_VIEW_SESSION,
        "user_session_device": topics.USER_SESSION_DEVICE,
        "page_view_page": topics.PAGE_VIEW_PAGE,
    }


#: options of the JDBC URL. MySQL's must send the fractions of seconds with which the connector asks for newer rows; MariaDB's does.
_JDBC_OPTIONS = {"mysql": "?sendFractionalSeconds=true", "mariadb": ""}

#: where Debezium keeps the table definitions that it has seen; made by the connector
SCHEMA_HISTORY_TOPIC = "_schema_history_users"


def _topics(path: Traversable, values: dict[str, str]) -> tuple[TopicDefinition, ...]:
    try:
        document = tomllib.loads(fill(path.read_text(), values, path.name))
        return tuple(
            TopicDefinition(
                name=name,
                partitions=int(entry["partitions"]),
                replication_factor=int(entry["replication_factor"]),
                config={key: str(value) for key, value in entry["config"].items()},
            )
            for name, entry in document.items()
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenResource(f"{path.name}: {error}") from error


def _statements(folder: Traversable, values: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Name and text of each statement in the order of the files' numbers."""
    found: list[tuple[int, str, str]] = []
    for path in folder.iterdir():
        match = _NUMBERED.match(path.name)
        if match is None:
            raise BrokenResource(f"{path.name}: a statement's file is called NN_name.sql")
        found.append((int(match[1]), match[2], fill(path.read_text(), values, path.name).strip()))
    return tuple((name, text) for _, name, text in sorted(found))


def _pinot(folder: Traversable, values: dict[str, str]) -> tuple[PinotDefinition, ...]:
    names = sorted(p.name.removesuffix(".table.json") for p in folder.iterdir() if p.name.endswith(".table.json"))
    return tuple(
        PinotDefinition(
            name, _json(folder / f"{name}.schema.json", values), _json(folder / f"{name}.table.json", values)
        )
        for name in names
    )


def _json(path: Traversable, values: dict[str, str]) -> Json:
    """Placeholders are filled after parsing, so no value (a password, say) can break out of its string."""
    try:
        document: Json = json.loads(path.read_text())
    except ValueError as error:
        raise BrokenResource(f"{path.name}: {error}") from error
    filled: Json = _fill_strings(document, values, path.name)
    return filled


def _fill_strings(value: Any, values: dict[str, str], source: str) -> Any:
    if isinstance(value, str):
        return fill(value, values, source)
    if isinstance(value, list):
        return [_fill_strings(item, values, source) for item in value]
    if isinstance(value, dict):
        return {key: _fill_strings(item, values, source) for key, item in value.items()}
    return value
