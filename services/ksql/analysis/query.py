"""A qualified query to the steps of a plan: FROM, WHERE, WINDOW, PARTITION BY or GROUP BY, HAVING, SELECT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

from services.ksql.analysis.catalog import Catalog
from services.ksql.analysis.expressions import Scope, predicate, table_function, with_points_in_time
from services.ksql.analysis.grouping import (
    Grouping,
    aggregate_arguments,
    aggregate_calls,
    check_keys,
    partition,
    refuse_window_bounds,
    scope_above,
)
from services.ksql.analysis.joins import FromClause, JoinKey, build_relation
from services.ksql.analysis.names import Names, find_sources, selected
from services.ksql.analysis.projection import Item, KeyColumn, KeyRule, Projection, expand, reserved_in_select
from services.ksql.errors import KsqlError, ServerError
from services.ksql.functions import registry
from services.ksql.model.plan import ExplodeStep, FilterStep, NamedExpression, Step, SuppressStep, WindowSpec
from services.ksql.model.schema import WINDOW_COLUMNS, Column, KeyWindow, Schema, SourceKind, WindowType
from services.ksql.sql import ast
from services.ksql.sql.ast import rewrite, walk
from services.ksql.sql.format import format_expression


def window_spec(window: ast.Window) -> WindowSpec:
    """The window in milliseconds.

    Raises:
        ServerError: bounds on which ksqlDB itself fails.
    """
    size = window.size.milliseconds
    if size < 1:
        raise ServerError("Window size (sizeMs) must be larger than zero.")
    advance = window.advance.milliseconds if window.advance else size
    if window.type is WindowType.HOPPING and not 0 < advance <= size:
        raise ServerError(
            "Window advancement interval should be more than zero and less than window duration "
            f"which is {size} ms, but given advancement interval is: {advance} ms"
        )
    grace = window.grace.milliseconds if window.grace else None
    retention = window.retention.milliseconds if window.retention else None
    if retention is not None and grace is not None and retention < size + grace:
        raise ServerError(
            "The retention period of the window store Aggregate-Aggregate-Materialize must be no smaller than its window size "
            f"plus the grace period. Got size=[{size}], grace=[{grace}], retention=[{retention}]"
        )
    return WindowSpec(window.type, size, advance, grace, retention)


def key_window(window: ast.Window) -> KeyWindow:
    """How keys look that come out of the window."""
    return KeyWindow(window.type, None if window.type is WindowType.SESSION else window.size.milliseconds)


NEW_PLANNER = "ksql.new.query.planner.enabled"


@dataclass(frozen=True, slots=True)
class Planned:
    """A query up to its SELECT: the step below it, and how the SELECT goes on top."""

    names: Names
    below: Step
    projection: Projection
    retention_ms: int | None = None


class QueryPlanner:
    """Plans one query. ``statement_kind`` (CREATE TABLE AS SELECT ...) is for messages; ``transient`` marks a push query."""

    def __init__(
        self,
        query: ast.Select,
        catalog: Catalog,
        *,
        statement_kind: str,
        transient: bool,
        properties: Mapping[str, str],
    ) -> None:
        self._query = query
        self._statement_kind = statement_kind
        self._transient = transient
        self._properties = properties
        self._names = Names(find_sources(query, catalog))
        self._scope: Scope = self._names.scope()
        #: the columns of the table functions, by their calls
        self._table_functions: dict[ast.Call, str] = {}

    def plan(self) -> Planned:
        query, names = self._query, self._names
        if query.limit is not None and not self._transient:
            raise KsqlError(f"{self._statement_kind} statements don't support LIMIT clause.")
        self._refuse_kafka_values()
        relation = build_relation(query, names, self._selected_columns())
        step = self._exploded(self._where(relation.step))
        select = tuple(item.expression for item in query.select if isinstance(item, ast.SelectItem))
        having = () if query.having is None else (query.having,)
        if query.group_by:
            return self._grouped(step, having)
        if aggregate_calls((*select, *having)):
            self._refuse_ungrouped(relation, having)
        if query.window is not None:
            raise KsqlError("WINDOW clause requires a GROUP BY clause.")
        if query.having is not None:
            raise KsqlError("HAVING clause requires a GROUP BY clause.")
        self._check_emit_final()
        return self._plain(step, relation)

    # --- FROM and WHERE

    def _refuse_kafka_values(self) -> None:
        using = [a.source.name for a in self._names.sources if a.source.value_format.name == "KAFKA"]
        feature = "JOIN" if self._names.is_join else "GROUP BY" if self._query.group_by else None
        if using and feature:
            raise KsqlError(
                f"Source(s) {', '.join(using)} are using the 'KAFKA' value format. This format does not yet support {feature}."
            )

    def _selected_columns(self) -> frozenset[ast.Expression]:
        """The select items that are columns, stars included."""
        items = expand(self._query, self._names, KeyRule("", ()), window_bounds=False)
        return frozenset(item.expression for item in items if isinstance(item.expression, ast.ColumnName))

    def _where(self, step: Step) -> Step:
        where = self._query.where
        if where is None:
            return step
        window = WINDOW_COLUMNS if self._query.window else ()
        self._names.check("WHERE", where, extra=window)
        condition = predicate("WHERE", self._names.bare(with_points_in_time(where)), self._scope)
        return FilterStep(step, condition, step.schema, step.kind, step.window)

    # --- table functions

    def _exploded(self, step: Step) -> Step:
        """The rows of the table functions of the SELECT, each with a column of its own."""
        calls = [node for expression in selected(self._query) for node in walk(expression) if _is_table_function(node)]
        if not calls:
            return step
        if step.kind is SourceKind.TABLE:
            raise KsqlError("Table source is not supported with table functions")
        if self._query.group_by:
            raise KsqlError("Table functions cannot be used with aggregations.")
        for call in calls:
            if any(map(_is_table_function, (node for part in call.arguments for node in walk(part)))):
                raise KsqlError(f"Table functions can not be nested: {format_expression(call)}")
        functions: list[NamedExpression] = []
        for call in dict.fromkeys(calls):
            for argument in call.arguments:
                self._names.check("SELECT", argument)
            made = table_function(self._names.bare(call), self._scope)  # type: ignore[arg-type] # a call it stays
            name = f"KSQL_SYNTH_{len(functions)}"
            self._table_functions[call] = name
            functions.append(NamedExpression(name, made))
        columns = tuple(Column(one.name, one.expression.type) for one in functions if one.expression.type is not None)
        self._scope = {**self._scope, **{column.name: column.type for column in columns}}
        schema = Schema(step.schema.key, step.schema.value + columns)
        return ExplodeStep(step, tuple(functions), schema, step.kind, step.window)

    def _above_explode(self, expression: ast.Expression) -> ast.Expression:
        """The expression with the columns of its table functions."""
        made = self._table_functions

        def change(node: ast.Expression) -> ast.Expression | None:
            return ast.ColumnName(None, made[node]) if isinstance(node, ast.Call) and node in made else None

        return rewrite(expression, change) if made else expression

    # --- without GROUP BY

    def _plain(self, step: Step, relation: FromClause) -> Planned:
        query, names = self._query, self._names
        scope = self._scope
        if query.partition_by:
            step, keys = partition(query, step, names, scope)
            rule = KeyRule("partitioning expression", keys, qualified=True)
        elif relation.join_key is not None:
            rule = _join_rule(relation.join_key, step)
            scope = {**scope, **{column.name: column.type for column in step.schema.key}}
        else:
            alias = names.sources[0].alias
            named = [(column.name, ast.ColumnName(alias, column.name)) for column in step.schema.key]
            rule = KeyRule("key column", tuple(KeyColumn(name, (e,), e) for name, e in named))
        items = self._items(rule, [key.name for key in rule.keys if rule.synthetic])
        partitioned = {key.chosen: key.name for key in rule.keys} if query.partition_by else {}

        def above(expression: ast.Expression) -> ast.Expression:
            if expression in partitioned:
                return ast.ColumnName(None, partitioned[expression])
            return names.bare(self._above_explode(expression))

        scope = {**scope, **{column.name: column.type for column in step.schema.columns}}
        return Planned(names, step, Projection(items, rule, above, scope))

    def _items(self, rule: KeyRule, extra: list[str]) -> tuple[Item, ...]:
        items = expand(self._query, self._names, rule, window_bounds=self._transient)
        known = [
            *extra,
            *(key.name for key in rule.keys if isinstance(key.chosen, ast.ColumnName) and not key.chosen.source),
        ]
        for item in items:
            self._names.check("SELECT", item.expression, known)
        return items

    def _check_emit_final(self) -> None:
        if self._query.emit == "FINAL" and not (self._query.window and self._query.group_by):
            raise KsqlError("EMIT FINAL is only supported for windowed aggregations.")

    # --- with GROUP BY

    def _grouped(self, step: Step, having: tuple[ast.Expression, ...]) -> Planned:
        query, names = self._query, self._names
        if query.partition_by:
            raise KsqlError("PARTITION BY and GROUP BY can not be used together.")
        check_keys("GROUP BY", query.group_by)
        if query.window is None and not self._transient:
            self._refuse_bounds()
        for expression in query.group_by:
            names.check("GROUP BY", expression)
        spec = window_spec(query.window) if query.window else None
        if spec is not None and step.kind is SourceKind.TABLE:
            raise KsqlError("Windowing not supported for table aggregations.")
        # Over a join ksqlDB does not know the bounds of its own window.
        extra = tuple(WINDOW_COLUMNS) if spec and not names.is_join else ()
        rule = KeyRule("grouping expression", ())
        items = expand(query, names, rule, window_bounds=False)
        for item in items:
            names.check("SELECT", item.expression, extra)
        for expression in having:
            names.check("HAVING", expression, extra)
        selected = tuple(item.expression for item in items)
        if not aggregate_calls((*selected, *having)):
            raise KsqlError("GROUP BY requires aggregate functions in either the SELECT or HAVING clause.")
        grouping = Grouping.of(query, step, names, self._scope)
        grouping.check_select(selected)
        for expression in having:
            grouping.check_having(expression)
        if spec is not None:
            refuse_window_bounds((*query.group_by, *having, *aggregate_arguments((*selected, *having))))
        self._check_emit_final()
        grouping.add((*selected, *having))
        if grouping.needs_complex_state and names.first.value_format.name == "DELIMITED":
            raise KsqlError(
                "One of the functions used in the statement has an intermediate type that the value format can not handle. "
                "Please remove the function or change the format."
            )
        aggregate = grouping.step(step, spec, key_window(query.window) if query.window else None)
        scope = scope_above(aggregate)
        below: Step = aggregate
        if query.emit == "FINAL":
            below = SuppressStep(below, below.schema, window=below.window)
        for expression in having:
            condition = predicate("HAVING", self._having(expression, grouping), scope)
            below = FilterStep(below, condition, below.schema, below.kind, below.window)
        rule = KeyRule("grouping expression", grouping.key_columns())
        projection = Projection(items, rule, grouping.above, scope)
        return Planned(names, below, projection, spec.retention_ms if spec else None)

    def _refuse_bounds(self) -> None:
        """Window bounds in the SELECT of a query that has no windows: ksqlDB looks at them before the GROUP BY."""
        for item in self._query.select:
            if (
                isinstance(item, ast.SelectItem)
                and item.alias in WINDOW_COLUMNS
                and not any(a.source.window for a in self._names.sources)
            ):
                raise reserved_in_select(item.alias)

    def _having(self, expression: ast.Expression, grouping: Grouping) -> ast.Expression:
        # Typing the clause over the input first gives messages in the user's terms, not in those of the aggregate variables.
        grouping.check_types(with_points_in_time(expression))
        return grouping.above(with_points_in_time(expression))

    def _refuse_ungrouped(self, relation: FromClause, having: tuple[ast.Expression, ...]) -> None:
        grouping = Grouping.of(self._query, relation.step, self._names, self._scope)
        items = expand(self._query, self._names, KeyRule("", ()), window_bounds=False)
        for item in items:
            self._names.check("SELECT", item.expression, WINDOW_COLUMNS)
        selected = tuple(item.expression for item in items)
        grouping.check_select(selected)
        calls = [self._names.bare(call) for call in aggregate_calls((*selected, *having))]
        shown = ", ".join("COUNT(ROWTIME)" if text == "COUNT(*)" else text for text in map(format_expression, calls))
        raise KsqlError(
            f"{self._statement_kind} statement does not support aggregate function [{shown}] without a GROUP BY clause."
        )

    @property
    def lenient_keys(self) -> bool:
        return str(self._properties.get(NEW_PLANNER, "false")).lower() == "true"


def _is_table_function(node: ast.Expression) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and registry.is_table_function(node.name)


def _join_rule(key: JoinKey, step: Step) -> KeyRule:
    if key.all_required:
        columns = zip(step.schema.key, key.viable, strict=True)
        keys = tuple(KeyColumn(c.name, (e,), e) for c, e in columns)
        return KeyRule("primary key column", keys, qualified=True, foreign_key_join_of=key.viable[0].source or "")
    name = step.schema.key[0].name
    if key.synthetic is not None:
        made_up = ast.ColumnName(None, key.synthetic)
        return KeyRule("join expression", (KeyColumn(name, (made_up,), made_up),), synthetic=True)
    chosen = next(column for column in key.viable if f"{column.source}_{column.name}" == name)
    return KeyRule("join expression", (KeyColumn(name, key.viable, chosen),), all_required=False, qualified=True)
