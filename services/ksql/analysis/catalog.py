"""What exists: streams, tables, and the queries that read and write them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.ksql.errors import KsqlError
from services.ksql.model.commands import (
    AlterSource,
    Command,
    ControlQuery,
    CreateQuery,
    CreateSource,
    CreateType,
    DropSource,
    DropType,
    InsertQuery,
)
from services.ksql.model.plan import QueryPlan
from services.ksql.model.schema import DataSource, SourceKind
from services.ksql.model.types import BaseType, SqlType, rebuilt


@dataclass(frozen=True, slots=True)
class PersistentQuery:
    """A running query. ``creates_sink`` is False for INSERT INTO."""

    id: str
    plan: QueryPlan
    creates_sink: bool

    @property
    def reads(self) -> tuple[str, ...]:
        return tuple(source.name for source in self.plan.sources)

    @property
    def writes(self) -> str:
        return self.plan.target.name


class Catalog:
    """The registry. Only ``apply`` and the methods it uses change it; ``copy`` gives one to try statements on."""

    def __init__(self) -> None:
        self._sources: dict[str, DataSource] = {}
        self._queries: dict[str, PersistentQuery] = {}
        #: sink -> the sources that its CREATE ... AS SELECT named; outlives the query
        self._made_from: dict[str, tuple[str, ...]] = {}
        #: what CREATE TYPE made, by name
        self.types: dict[str, SqlType] = {}
        #: changes so far: a plan holds for the version that it was made against
        self.version = 0

    def copy(self) -> Catalog:
        other = Catalog()
        other._sources = dict(self._sources)
        other._queries = dict(self._queries)
        other._made_from = dict(self._made_from)
        other.types = dict(self.types)
        other.version = self.version
        return other

    def find(self, name: str) -> DataSource | None:
        return self._sources.get(name)

    def resolve(self, kind: SqlType) -> SqlType:
        """The type with what CREATE TYPE made in place of its names.

        Raises:
            KsqlError: there is no such type.
        """

        def known(part: SqlType) -> SqlType:
            if part.base is not BaseType.NAMED:
                return part
            if part.name not in self.types:
                raise KsqlError(f"Failed to prepare statement: Cannot resolve unknown type: {part.name}")
            return self.types[part.name]

        return rebuilt(kind, known)

    def sources(self) -> Iterable[DataSource]:
        """All sources in the order of their making."""
        return tuple(self._sources.values())

    def queries(self) -> Iterable[PersistentQuery]:
        return tuple(self._queries.values())

    def query(self, query_id: str) -> PersistentQuery | None:
        return self._queries.get(query_id)

    def dependents(self, name: str) -> list[str]:
        """The names of the sources made from ``name``, sorted."""
        return sorted(sink for sink, sources in self._made_from.items() if name in sources)

    def is_made_by_query(self, name: str) -> bool:
        """Whether a CREATE ... AS SELECT made ``name``, also when its query was terminated since."""
        return name in self._made_from

    def readers(self, name: str) -> list[PersistentQuery]:
        return [query for query in self._queries.values() if name in query.reads]

    def writers(self, name: str) -> list[PersistentQuery]:
        return [query for query in self._queries.values() if query.writes == name]

    def materialised_by(self, name: str) -> PersistentQuery | None:
        """The running query that keeps the table ``name`` as state, if there is one."""
        return next((query for query in self.writers(name) if query.creates_sink), None)

    def apply(self, command: Command, query_id: str | None = None) -> None:
        """Make what ``command`` says true. ``query_id`` is needed for commands that start a query."""
        match command:
            case CreateSource(source=source) | AlterSource(source=source):
                self._sources[source.name] = source
            case CreateQuery(plan=plan) if query_id is not None:
                self._end(query.id for query in self.writers(command.sink.name) if query.creates_sink)
                self._sources[command.sink.name] = command.sink
                self._made_from[command.sink.name] = tuple(source.name for source in plan.sources)
                self._queries[query_id] = PersistentQuery(query_id, plan, creates_sink=True)
            case InsertQuery(plan=plan) if query_id is not None:
                self._queries[query_id] = PersistentQuery(query_id, plan, creates_sink=False)
            case DropSource(name=name, source=source):
                if source is not None:
                    self._end(query.id for query in self.writers(name))
                    self._sources.pop(name, None)
                    self._made_from.pop(name, None)
            case ControlQuery(action="TERMINATE", query_id=target):
                self._end(self._queries if target is None else (target,))
            case CreateType(name=name, type=kind):
                self.types.setdefault(name, kind)
            case DropType(name=name):
                self.types.pop(name, None)
            case CreateQuery() | InsertQuery():
                raise ValueError("a query needs an id")
            case _:
                return
        self.version += 1

    def _end(self, query_ids: Iterable[str]) -> None:
        for query_id in tuple(query_ids):
            self._queries.pop(query_id, None)


def query_id_of(command: Command, catalog: Catalog, number: int) -> str | None:
    """The id of the query that ``command`` starts, if it is carried out with this catalog and number; None if it starts none."""
    match command:
        case CreateQuery(sink=sink):
            writer = catalog.materialised_by(sink.name) if command.replaces else None
            prefix = "CTAS" if sink.kind is SourceKind.TABLE else "CSAS"
            return writer.id if writer else f"{prefix}_{sink.name.upper()}_{number}"
        case InsertQuery(query_id=chosen):
            return chosen or f"INSERTQUERY_{number}"
    return None
