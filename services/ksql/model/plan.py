"""Plans: a tree of steps from sources to one sink, and the lookup of a pull query. Pure data, made by ``analysis``, run by ``engine``.

Each step has ``schema``, the columns of the rows it gives, and ``kind``, whether those rows are events or changes of a table.
Names in expressions are names in the schema of the step's input.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.ksql.model.schema import DataSource, KeyWindow, Schema, SourceKind, WindowType
from services.ksql.model.typed_expressions import Expression


class JoinType(StrEnum):
    INNER = "INNER"
    LEFT = "LEFT"
    RIGHT = "RIGHT"
    FULL = "FULL"


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """A WINDOW clause, in milliseconds. For SESSION ``size_ms`` is the inactivity gap and ``advance_ms`` equals it.

    ``grace_ms`` None means the clause was absent (ksqlDB: 24 hours less the size; 0 for EMIT FINAL is not implied).
    """

    type: WindowType
    size_ms: int
    advance_ms: int
    grace_ms: int | None = None
    retention_ms: int | None = None


@dataclass(frozen=True, slots=True)
class NamedExpression:
    name: str
    expression: Expression


@dataclass(frozen=True, slots=True)
class AggregateCall:
    """One aggregate: ``name`` is its column in the output (KSQL_AGG_VARIABLE_n), ``function`` what the registry resolved for
    the argument types, ``arguments`` are evaluated per row, ``literals`` are the constant parameters (TOPK's k ...).
    """

    name: str
    function: Any
    arguments: tuple[Expression, ...]
    literals: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceStep:
    """Reads a source's topic. With ``alias`` set (joins), every column, key and pseudo columns too, is named ALIAS_COLUMN;
    ROWTIME, ROWPARTITION, ROWOFFSET (and window bounds) appear in ``schema.value`` then.
    """

    source: DataSource
    schema: Schema
    kind: SourceKind
    alias: str | None = None
    window: KeyWindow | None = None


@dataclass(frozen=True, slots=True)
class FilterStep:
    """WHERE, or HAVING when over an aggregate. Over a table: a row that leaves gets a tombstone, one that never passed nothing."""

    input: Step
    predicate: Expression
    schema: Schema
    kind: SourceKind
    window: KeyWindow | None = None


@dataclass(frozen=True, slots=True)
class ProjectStep:
    """SELECT: ``keys`` give the key columns of ``schema`` (name in the input, in order), ``values`` the value columns.

    A name in ``keys`` is that of a key column of the input; expressions see its value columns first, then its key columns
    (a join has its key under the same name in both, and the two may differ). In a transient query ``schema.value`` holds
    every selected column in the order of the SELECT, and ``schema.key`` the key besides.
    """

    input: Step
    keys: tuple[str, ...]
    values: tuple[NamedExpression, ...]
    schema: Schema
    kind: SourceKind
    window: KeyWindow | None = None


@dataclass(frozen=True, slots=True)
class PartitionByStep:
    """PARTITION BY: the new key; the old key columns have become value columns of ``schema``. An expression over a null
    gives a null key, the row goes on. ``keys`` is empty for PARTITION BY NULL."""

    input: Step
    keys: tuple[NamedExpression, ...]
    schema: Schema
    kind: SourceKind
    window: KeyWindow | None = None


@dataclass(frozen=True, slots=True)
class ExplodeStep:
    """Table functions: each of ``functions`` gives a list, and the n-th row has the n-th item of each, NULL where a list is shorter. A row
    for which all are empty or NULL gives none. ``schema`` has their columns after those of the input.
    """

    input: Step
    functions: tuple[NamedExpression, ...]
    schema: Schema
    kind: SourceKind
    window: KeyWindow | None = None


@dataclass(frozen=True, slots=True)
class AggregateStep:
    """GROUP BY with its aggregates. ``schema.key`` = the group columns, ``schema.value`` = one column per aggregate; with
    ``window_spec`` WINDOWSTART and WINDOWEND are in scope above. Over a table the old row is undone first.
    A row in which a group expression is null is dropped. ``partitions`` of the group key decide which rows share a stream time.
    """

    input: Step
    group_by: tuple[NamedExpression, ...]
    aggregates: tuple[AggregateCall, ...]
    window_spec: WindowSpec | None
    schema: Schema
    kind: SourceKind = SourceKind.TABLE
    window: KeyWindow | None = None


@dataclass(frozen=True, slots=True)
class JoinStep:
    """A join of two inputs with disjoint column names. ``schema.value`` = all columns of both sides; ``schema.key`` = one key
    column ``key_name`` holding the join key (left key; right key where the left row is missing), for
    a foreign-key table-table join the left table's own primary key.

    The left and right key expressions are over the columns of their side's ``schema``. Expressions above the join mean its value
    columns, whose key columns keep their side's value (NULL where the side is missing); only ``ProjectStep.keys`` and
    what the sink takes as key mean ``schema.key``. An aliased source step lists its key columns in ``schema.value`` too.

    Stream-stream joins have ``before_ms`` and ``after_ms`` (WITHIN) and ``grace_ms``; None elsewhere.
    """

    left: Step
    right: Step
    join_type: JoinType
    left_key: Expression
    right_key: Expression
    schema: Schema
    kind: SourceKind
    before_ms: int | None = None
    after_ms: int | None = None
    grace_ms: int | None = None
    foreign_key: bool = False
    window: KeyWindow | None = None


@dataclass(frozen=True, slots=True)
class SuppressStep:
    """EMIT FINAL: a window's row is held back until stream time passes its end and grace."""

    input: Step
    schema: Schema
    kind: SourceKind = SourceKind.TABLE
    window: KeyWindow | None = None


Step = SourceStep | FilterStep | ProjectStep | PartitionByStep | ExplodeStep | AggregateStep | JoinStep | SuppressStep


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """A whole persistent or transient query. ``sink`` is None for a transient one; ``sources`` in order of appearance.

    ``sink.timestamp`` names the output column that becomes the record timestamp, where WITH (TIMESTAMP=...) says so.
    """

    root: Step
    sink: DataSource | None
    sources: tuple[DataSource, ...]
    limit: int | None = None
    sql: str = ""

    @property
    def target(self) -> DataSource:
        """The sink of a persistent query.

        Raises:
            ValueError: the query is transient.
        """
        if self.sink is None:
            raise ValueError("a transient query has no sink")
        return self.sink


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds in ms or of a key; None is open."""

    low: Any = None
    low_inclusive: bool = True
    high: Any = None
    high_inclusive: bool = True

    @property
    def is_open(self) -> bool:
        return self.low is None and self.high is None


OPEN = Range()


@dataclass(frozen=True, slots=True)
class PullPlan:
    """A pull query over one table.

    ``keys`` are the whole keys to look up (one value per key column, in the order of the source's schema), None for a scan;
    ``key_range`` narrows a scan of a table with one key column. Both, and the window ranges, only narrow: ``where`` is the
    whole predicate and decides. Expressions see the source's columns, ROWTIME, and WINDOWSTART and WINDOWEND if windowed.
    ``select`` are the result columns in order; the names in ``key_columns`` are those that count as KEY in a header.
    """

    source: DataSource
    select: tuple[NamedExpression, ...]
    key_columns: tuple[str, ...]
    where: Expression | None = None
    keys: tuple[tuple[Any, ...], ...] | None = None
    key_range: Range = OPEN
    window_start: Range = OPEN
    window_end: Range = OPEN
    limit: int | None = None
    sql: str = ""
