"""The one way into ``analysis``: a statement and the catalog to a command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from services.ksql.analysis import ddl
from services.ksql.analysis.catalog import Catalog
from services.ksql.analysis.ddl import check_upgrade
from services.ksql.analysis.inserts import fit_to_sink, insert_values
from services.ksql.analysis.names import find_sources, qualify
from services.ksql.analysis.properties import chosen_query_id, read_with_clause, with_properties
from services.ksql.analysis.pull import plan_pull_query
from services.ksql.analysis.query import Planned, QueryPlanner, window_spec
from services.ksql.analysis.session_properties import is_known
from services.ksql.analysis.sources import (
    build_sink,
    build_source,
    check_column_names,
    check_result_kind,
    check_timestamp_selected,
    default_key_format,
    default_value_format,
)
from services.ksql.errors import CastError, FunctionError, KsqlError, RequestError
from services.ksql.functions import registry
from services.ksql.model import commands
from services.ksql.model.plan import ProjectStep, QueryPlan
from services.ksql.model.schema import DataSource, SourceKind
from services.ksql.sql import ast
from services.ksql.sql.ast import walk
from services.ksql.sql.format import format_statement

#: a request may be held open this long by ASSERT TOPIC
_LONGEST_WAIT_MS = 600_000
_NO_SCHEMA = "Could not determine output schema for query due to error: "


class Analyzer:
    """Checks statements against ``catalog``, which it reads and never changes.

    ``properties`` are the server's and the request's, by ksqlDB's names (``ksql.persistence.default.format.value`` ...).
    """

    def __init__(
        self, catalog: Catalog, properties: Mapping[str, str] | None = None, *, carried_out: bool = False
    ) -> None:
        self._catalog = catalog
        self._carried_out = carried_out
        self._properties = dict(properties or {})

    def qualify(self, statement: ast.Statement, raw: str = "") -> ast.Statement:
        """The statement as ksqlDB shows it: names qualified, aliases and default formats filled in.

        A caller may add to its WITH clause (``properties.with_properties``) before it formats and analyses it. Errors found
        here carry ``raw``, the text as the user wrote it. Doing it twice changes nothing.

        Raises:
            KsqlError: an unknown source or alias, a bad WITH clause, an impossible window.
        """
        try:
            return self._qualify(statement)
        except KsqlError as error:
            error.statement = error.statement or raw
            raise

    def _qualify(self, statement: ast.Statement) -> ast.Statement:
        match statement:
            case ast.CreateSourceStatement():
                columns = tuple(replace(c, type=self._catalog.resolve(c.type)) for c in statement.columns)
                return self._with_default_formats(replace(statement, columns=columns))
            case ast.AlterSourceStatement():
                columns = tuple(replace(c, type=self._catalog.resolve(c.type)) for c in statement.columns)
                return replace(statement, columns=columns)
            case ast.CreateType():
                return replace(statement, type=self._catalog.resolve(statement.type))
            case ast.CreateAsSelect() | ast.InsertSelect():
                if isinstance(statement, ast.CreateAsSelect):
                    read_with_clause(statement.properties, create_as=True)
                else:
                    chosen_query_id(statement.properties)
                query = qualify(statement.query, self._catalog)
                if query.window is not None:
                    window_spec(query.window)
                return replace(statement, query=replace(query, emit=query.emit or "CHANGES"))
            case _:
                return statement

    def analyze(self, statement: ast.Statement, text: str | None = None) -> commands.Command:
        """The command for ``statement``. ``text`` is logged and shown; by default the statement is formatted.

        Raises:
            KsqlError: worded as ksqlDB words it, ``statement`` set.
        """
        qualified = self.qualify(statement, text or "")
        shown = text if text is not None else format_statement(qualified)
        try:
            return self._command(qualified, shown)
        except KsqlError as error:
            error.statement = error.statement or shown
            raise

    def _with_default_formats(self, statement: ast.CreateSourceStatement) -> ast.CreateSourceStatement:
        read_with_clause(statement.properties, create_as=False)
        check_column_names(statement)
        given = {name for name, _ in statement.properties}
        if "FORMAT" in given:
            return statement
        more: dict[str, str | int] = {"KEY_FORMAT": default_key_format(self._properties)}
        if "VALUE_FORMAT" not in given:
            more["VALUE_FORMAT"] = default_value_format(self._properties)
        return replace(statement, properties=with_properties(statement.properties, more))

    def _command(  # noqa: PLR0911, PLR0912 - one arm per kind of statement
        self, statement: ast.Statement, text: str
    ) -> commands.Command:
        match statement:
            case ast.CreateSourceStatement():
                return self._create_source(statement, text)
            case ast.AlterSourceStatement():
                return commands.AlterSource(ddl.altered(statement, self._catalog, text))
            case ast.CreateAsSelect():
                return self._create_as(statement, text)
            case ast.InsertSelect():
                return self._insert_select(statement, text)
            case ast.InsertValuesStatement():
                return insert_values(statement, self._catalog)
            case ast.Select():
                return self._query(statement, text)
            case ast.DropSourceStatement():
                return ddl.drop(statement, self._catalog)
            case ast.QueryControl(action=action, query_id=query_id):
                if query_id is not None and self._catalog.query(query_id) is None:
                    raise KsqlError(f"Unknown queryId: {query_id}")
                return commands.ControlQuery(action, query_id)
            case ast.DescribeSourceStatement(name=name, extended=extended):
                source = self._catalog.find(name)
                if source is None:
                    raise KsqlError(f"Could not find STREAM/TABLE '{name}' in the Metastore")
                return commands.DescribeSource(source, extended)
            case ast.DescribeFunction(name=name):
                if not registry.exists(name):
                    raise RequestError(f"Can't find any functions with the name '{name}'")
                return statement
            case ast.ExplainStatement():
                return self._explain(statement, text)
            case ast.AssertTopic(timeout_ms=timeout_ms):
                if timeout_ms is not None and timeout_ms > _LONGEST_WAIT_MS:
                    raise KsqlError(f"The TIMEOUT of ASSERT TOPIC may be at most {_LONGEST_WAIT_MS // 1000} seconds.")
                return statement
            case ast.AssertSchema():
                raise KsqlError(
                    "The statement ASSERT SCHEMA is not supported by this server: it needs a Schema Registry, which this "
                    "server does not have. DESCRIBE shows the columns of a stream or table."
                )
            case ast.SetProperty(name=name) | ast.UnsetProperty(name=name):
                if not is_known(name):
                    raise KsqlError(f"Unknown property: {name}")
                return statement
            case ast.CreateType():
                return ddl.create_type(statement, self._catalog)
            case ast.DropType():
                return ddl.drop_type(statement, self._catalog)
            case _:
                return statement

    # --- definitions

    def _create_source(self, statement: ast.CreateSourceStatement, text: str) -> commands.Command:
        source = build_source(statement, self._properties, text)
        existing = ddl.existing_or_none(statement, self._catalog)
        if isinstance(existing, commands.NothingToDo):
            return existing
        if existing is not None:
            ddl.check_replacement(existing, source)
        return commands.CreateSource(source, existing)

    def _create_as(self, statement: ast.CreateAsSelect, text: str) -> commands.Command:
        try:
            existing = ddl.existing_or_none(statement, self._catalog)
            if isinstance(existing, commands.NothingToDo):
                return existing
            plan = self._plan_create_as(statement, text)
        except KsqlError as error:
            if statement.kind is SourceKind.TABLE and (unknown := _unknown_function(statement.query)) is not None:
                raise FunctionError(f"Can't find any functions with the name '{unknown}'") from error
            if error.error_code == KsqlError.error_code and not isinstance(error, CastError):
                error.message = f"{_NO_SCHEMA}{error.message}"
            raise
        if existing is not None:
            self._check_upgrade(existing, plan)
        return commands.CreateQuery(plan, existing)

    def _check_upgrade(self, existing: DataSource, plan: QueryPlan) -> None:
        ddl.check_replacement(existing, plan.target)
        running = self._catalog.materialised_by(existing.name)
        if running is not None and not self._carried_out:
            check_upgrade(running.plan, plan)

    def _plan_create_as(self, statement: ast.CreateAsSelect, text: str) -> QueryPlan:
        kind = f"CREATE {statement.kind} AS SELECT"
        planner, planned = self._planned(statement.query, kind)
        check_timestamp_selected(statement, {item.name for item in planned.projection.items})
        root = planned.projection.persistent(planned.below, statement.name, lenient_keys=planner.lenient_keys)
        check_result_kind(statement, root, text)
        sink = build_sink(
            statement,
            root,
            planned.names,
            properties=self._properties,
            sql=text,
            retention_ms=planned.retention_ms,
        )
        return self._query_plan(root, sink, statement.query, planned, text)

    def _insert_select(self, statement: ast.InsertSelect, text: str) -> commands.InsertQuery:
        target = ddl.insert_target(statement.target, statement.location, self._catalog)
        planner, planned = self._planned(statement.query, "INSERT INTO")
        root = planned.projection.persistent(planned.below, target.name, lenient_keys=planner.lenient_keys)
        if root.kind is SourceKind.TABLE:
            raise KsqlError(
                f"Incompatible data sink and query result. Data sink ({target.name}) type is KSTREAM "
                "but select query result is KTABLE."
            )
        query_id = chosen_query_id(statement.properties)
        if query_id is not None and self._catalog.query(query_id) is not None:
            raise KsqlError(f"Query ID '{query_id}' already exists.")
        plan = self._query_plan(fit_to_sink(root, target), target, statement.query, planned, text)
        return commands.InsertQuery(plan, query_id)

    # --- queries

    def _planned(self, query: ast.Select, kind: str, *, transient: bool = False) -> tuple[QueryPlanner, Planned]:
        planner = QueryPlanner(
            query, self._catalog, statement_kind=kind, transient=transient, properties=self._properties
        )
        return planner, planner.plan()

    def _query_plan(
        self, root: ProjectStep, sink: DataSource | None, query: ast.Select, planned: Planned, text: str
    ) -> QueryPlan:
        return QueryPlan(
            root=root,
            sink=sink,
            sources=tuple(dict.fromkeys(aliased.source for aliased in planned.names.sources)),
            limit=query.limit,
            sql=text,
        )

    def _query(self, query: ast.Select, text: str) -> commands.PushQuery | commands.PullQuery:
        if query.emit is None:
            sources = find_sources(query, self._catalog)
            if any(aliased.source.kind is SourceKind.TABLE for aliased in sources):
                return commands.PullQuery(plan_pull_query(query, self._catalog, text))
        return commands.PushQuery(self._plan_push(query, text), until_end=query.emit is None)

    def _plan_push(self, query: ast.Select, text: str) -> QueryPlan:
        qualified = qualify(query, self._catalog)
        _, planned = self._planned(qualified, "SELECT", transient=True)
        return self._query_plan(planned.projection.transient(planned.below), None, query, planned, text)

    def _explain(self, statement: ast.ExplainStatement, text: str) -> commands.Explain:
        if statement.statement is not None:
            command = self._command(self.qualify(statement.statement), text)
            return commands.Explain(plan=getattr(command, "plan", None))
        query_id = statement.query_id or ""
        if self._catalog.query(query_id) is None:
            raise KsqlError(
                f"Query with id:{query_id} does not exist, use SHOW QUERIES to view the full set of queries."
            )
        return commands.Explain(query_id=query_id)


def _unknown_function(query: ast.Select) -> str | None:
    """The first function of a SELECT list without an aggregate that does not exist: a table's query fails by it before its schema."""
    nodes = [node for item in query.select if isinstance(item, ast.SelectItem) for node in walk(item.expression)]
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    if any(registry.is_aggregate(call.name) for call in calls):
        return None
    return next((call.name for call in calls if not registry.exists(call.name)), None)
