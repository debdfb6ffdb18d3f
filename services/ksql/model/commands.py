"""Commands: checked and resolved statements, the analyser's answer, carried out by runtime and server.

``sql`` is the text under which the thing is known afterwards, as ksqlDB formats it. A statement in which nothing has to be
looked up (SHOW, SET, PRINT ...) is AST and command at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.ksql.model.plan import NamedExpression, PullPlan, QueryPlan
from services.ksql.model.schema import DataSource, SourceKind
from services.ksql.model.types import SqlType


@dataclass(frozen=True, slots=True)
class Show:
    """``what`` is STREAMS, TABLES, TOPICS, ALL TOPICS, QUERIES, PROPERTIES, FUNCTIONS, VARIABLES, TYPES, CONNECTORS ..."""

    what: str
    extended: bool = False


@dataclass(frozen=True, slots=True)
class DescribeAll:
    """DESCRIBE STREAMS or TABLES."""

    kind: SourceKind
    extended: bool = False


@dataclass(frozen=True, slots=True)
class DescribeFunction:
    name: str


@dataclass(frozen=True, slots=True)
class CreateConnector:
    """``kind`` is SOURCE or SINK; ``config`` is what Connect gets, without the name."""

    kind: str
    name: str
    config: tuple[tuple[str, str], ...]
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class DropConnector:
    name: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class DescribeConnector:
    name: str


@dataclass(frozen=True, slots=True)
class Print:
    """PRINT 'topic' on the query endpoints."""

    topic: str
    from_beginning: bool = False
    interval: int | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class SetProperty:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class UnsetProperty:
    name: str


@dataclass(frozen=True, slots=True)
class Define:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Undefine:
    name: str


@dataclass(frozen=True, slots=True)
class CreateType:
    """CREATE TYPE: ``name`` is a name of ``type`` from now on."""

    name: str
    type: SqlType
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class DropType:
    """DROP TYPE. What was made with the type keeps it."""

    name: str
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class AssertTopic:
    """ASSERT [NOT EXISTS] TOPIC: ``settings`` (its WITH clause) must be those of the topic within ``timeout_ms``, None for the default."""

    name: str
    settings: tuple[tuple[str, str], ...] = ()
    exists: bool = True
    timeout_ms: int | None = None


ConnectorStatement = CreateConnector | DropConnector | DescribeConnector
PlainStatement = (
    ConnectorStatement
    | Show
    | DescribeAll
    | DescribeFunction
    | Print
    | SetProperty
    | UnsetProperty
    | Define
    | Undefine
    | CreateType
    | DropType
    | AssertTopic
)


@dataclass(frozen=True, slots=True)
class CreateSource:
    """Register ``source``; where ``source.partitions`` is set the topic may be made. ``replaces`` is what it takes over from."""

    source: DataSource
    replaces: DataSource | None = None


@dataclass(frozen=True, slots=True)
class AlterSource:
    """``source`` with its new columns takes the place of the one of the same name; queries that run keep the columns they have."""

    source: DataSource


@dataclass(frozen=True, slots=True)
class CreateQuery:
    """Register ``plan.sink`` and run ``plan``; with ``replaces`` the query that writes the sink is exchanged."""

    plan: QueryPlan
    replaces: DataSource | None = None

    @property
    def sink(self) -> DataSource:
        return self.plan.target


@dataclass(frozen=True, slots=True)
class InsertQuery:
    """Run ``plan``, which writes into the existing stream ``plan.sink``; ``query_id`` is None where the server gives one."""

    plan: QueryPlan
    query_id: str | None = None


@dataclass(frozen=True, slots=True)
class InsertValues:
    """Write one row to ``target``. ``values`` are constant expressions, cast to the types of their columns; columns that
    are absent are NULL. One may be named ROWTIME: the record's timestamp in ms.
    """

    target: DataSource
    values: tuple[NamedExpression, ...]


@dataclass(frozen=True, slots=True)
class NothingToDo:
    """IF NOT EXISTS on something that exists; ``message`` is ksqlDB's warning."""

    message: str


@dataclass(frozen=True, slots=True)
class DropSource:
    """``source`` is None when IF EXISTS found nothing. The query that writes the source ends with it."""

    name: str
    kind: SourceKind
    source: DataSource | None
    delete_topic: bool = False


@dataclass(frozen=True, slots=True)
class ControlQuery:
    """``action`` is TERMINATE, PAUSE or RESUME; ``query_id`` None means all."""

    action: str
    query_id: str | None


@dataclass(frozen=True, slots=True)
class PushQuery:
    """A SELECT ... EMIT CHANGES; ``plan.sink`` is None and ``plan.root.schema.value`` are the columns of the answer.

    With ``until_end`` (a pull query over a stream) it reads to the present end and ends.
    """

    plan: QueryPlan
    until_end: bool = False


@dataclass(frozen=True, slots=True)
class PullQuery:
    plan: PullPlan


@dataclass(frozen=True, slots=True)
class DescribeSource:
    source: DataSource
    extended: bool = False


@dataclass(frozen=True, slots=True)
class Explain:
    """A running query by its id, or the plan of a statement (a QueryPlan or PullPlan) that is not run."""

    query_id: str | None = None
    plan: QueryPlan | PullPlan | None = None


Command = (
    CreateSource
    | AlterSource
    | CreateQuery
    | InsertQuery
    | InsertValues
    | NothingToDo
    | DropSource
    | ControlQuery
    | PushQuery
    | PullQuery
    | DescribeSource
    | Explain
    | PlainStatement
)
