"""Properties: which there are, which may be set with a request, and SHOW PROPERTIES."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.ksql.analysis.session_properties import STREAMS, is_known, plain
from services.ksql.functions.numbers import parse_whole
from services.ksql.rest.errors import SERVER_ERROR, generic_error, statement_error
from services.ksql.settings import Settings

#: set for the whole server only
DENIED = frozenset({"ksql.service.id"})
_CACHE_SIZES = frozenset({"cache.max.bytes.buffering", "statestore.cache.max.bytes"})
_OFFSETS = ("earliest", "latest", "none")


def check(properties: Mapping[str, Any], statement: str, *, unknown_too: bool = True) -> None:
    """Refuses properties that may not be set with a request, unknown ones unless they are ignored, and values that make no sense.

    Raises:
        RestError: as the real server answers.
    """
    check_allowed(properties)
    for name, value in properties.items():
        if unknown_too and not is_known(name):
            raise statement_error(
                f"Not recognizable as ksql, streams, consumer, or producer property: '{name}'", statement, SERVER_ERROR
            )
        check_value(name, value)


def check_value(name: str, value: Any) -> None:
    """Refuses values that are no size for a record cache, or no place to start reading at.

    Raises:
        RestError: as the real server answers.
    """
    if plain(name) == "auto.offset.reset" and not _is_offset_reset(str(value)):
        raise generic_error(
            f"Failed to coerce type of value '{value}' for key '{name}'\nCaused by: Invalid value {value} for "
            f"configuration auto.offset.reset: Invalid\n\tvalue `{value}` for configuration auto.offset.reset. The "
            "value must be either\n\t'earliest', 'latest', 'none' or of the format 'by_duration:<PnDTnHnMn.nS.>'."
        )
    if plain(name) not in _CACHE_SIZES:
        return
    try:
        valid = parse_whole(str(value).strip(), 64) >= 0
    except ValueError:
        valid = False
    if not valid:
        raise generic_error(
            f"Failed to coerce type of value '{value}' for key '{name}'\nCaused by: Invalid value {value} for configuration "
            f"{plain(name)}: it must be a whole number of bytes, 0 or more"
        )


def check_allowed(properties: Mapping[str, Any]) -> None:
    """Refuses what belongs to the server alone."""
    denied = sorted(name for name in properties if plain(name) in DENIED or name in DENIED)
    if denied:
        raise generic_error(
            "One or more properties overrides set locally are prohibited by the KSQL server (use UNSET to reset their "
            f"default value): [{', '.join(denied)}]"
        )


def listed(settings: Settings, session: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[str], list[str]]:
    """The entries of SHOW PROPERTIES, the names of those that ``session`` (SET, the request) sets, and of those with their default."""
    interval = str(int(settings.commit_interval.total_seconds() * 1000))
    values = {
        "ksql.service.id": (settings.service_id, False, "KSQL"),
        "ksql.streams.bootstrap.servers": (settings.kafka_bootstrap, False, "KSQL"),
        "ksql.streams.auto.offset.reset": ("latest", True, "KSQL"),
        "ksql.streams.commit.interval.ms": (interval, True, "KSQL"),
        "ksql.streams.processing.guarantee": ("exactly_once_v2", False, "KSQL"),
        "ksql.streams.num.stream.threads": ("1", False, "KSQL"),
        "ksql.streams.isolation.level": ("read_committed", False, "KSQL"),
        "ksql.output.topic.name.prefix": ("", True, "KSQL"),
        "ksql.persistence.default.format.key": ("KAFKA", True, "KSQL"),
        "ksql.persistence.default.format.value": ("", True, "KSQL"),
        "ksql.persistence.wrap.single.values": ("", True, "KSQL"),
        "ksql.server.command.response.timeout.ms": (
            str(int(settings.command_timeout.total_seconds() * 1000)),
            False,
            "KSQL",
        ),
        "ksql.query.pull.table.scan.enabled": ("true", True, "KSQL"),
        "ksql.query.pull.stream.enabled": ("true", False, "KSQL"),
        "ksql.variable.substitution.enable": ("true", True, "KSQL"),
        "ksql.heartbeat.enable": ("false", False, "KSQL"),
    }
    overwritten = {
        name if name.startswith("ksql.") else f"{STREAMS}{name}": str(value) for name, value in sorted(session.items())
    }
    for name, value in overwritten.items():
        values[name] = (value, True, "KSQL")
    entries = [
        {"name": name, "scope": scope, "value": value, "editable": editable, "level": "SERVER"}
        for name, (value, editable, scope) in values.items()
    ]
    chosen = {"ksql.service.id", "ksql.streams.bootstrap.servers", "ksql.streams.commit.interval.ms", *overwritten}
    return entries, list(overwritten), [name for name in values if name not in chosen]


def _is_offset_reset(value: str) -> bool:
    return value.lower() in _OFFSETS or value.lower().startswith("by_duration:")
