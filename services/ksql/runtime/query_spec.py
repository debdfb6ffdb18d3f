"""A persistent query as the command log knows it, whether it runs or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.ksql.model.plan import QueryPlan
from services.ksql.model.schema import DataSource, SourceKind


@dataclass(frozen=True, slots=True)
class QuerySpec:
    """``statement`` is the whole text as ksqlDB prints it; ``properties`` are the streams properties it came with."""

    id: str
    plan: QueryPlan
    sink: DataSource
    statement: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    paused: bool = False
    creates_sink: bool = True

    @property
    def from_earliest(self) -> bool:
        """Where it starts to read: ``auto.offset.reset``, by default the end."""
        value = self.properties.get(
            "ksql.streams.auto.offset.reset", self.properties.get("auto.offset.reset", "latest")
        )
        return str(value).lower() == "earliest"

    @property
    def merges_updates(self) -> bool:
        """Whether a table's updates of one key between two commits become one: not with a record cache of 0 bytes."""
        for name in ("statestore.cache.max.bytes", "cache.max.bytes.buffering"):
            value = self.properties.get(f"ksql.streams.{name}", self.properties.get(name))
            if value is not None:
                return str(value).strip() != "0"
        return True

    @property
    def input_topics(self) -> tuple[str, ...]:
        """Topics to read, tables first: at equal times a row of a table is there before the event that looks it up."""
        tables_first = sorted(self.plan.sources, key=lambda source: source.kind is not SourceKind.TABLE)
        return tuple(dict.fromkeys(source.topic for source in tables_first))
