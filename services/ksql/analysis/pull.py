"""Pull queries: a SELECT without EMIT over a materialised table."""

from __future__ import annotations

from services.ksql.analysis.aggregation import aggregate_calls
from services.ksql.analysis.catalog import Catalog
from services.ksql.analysis.clauses import predicate, with_points_in_time
from services.ksql.analysis.expressions import typed
from services.ksql.analysis.keys import KeyRule
from services.ksql.analysis.names import Names
from services.ksql.analysis.projection import expand
from services.ksql.analysis.pull_bounds import find_bounds
from services.ksql.analysis.sanitize import find_sources, sanitize
from services.ksql.errors import KsqlError
from services.ksql.model.plan import NamedExpression
from services.ksql.model.pull import PullPlan
from services.ksql.model.schema import WINDOW_COLUMNS
from services.ksql.sql import ast
from services.ksql.sql.format import backtick

_HELP = "See https://cnfl.io/queries for more info.\nAdd EMIT CHANGES if you intended to issue a push query."


def plan_pull_query(query: ast.Query, catalog: Catalog, sql: str) -> PullPlan:
    """The look-up that a pull query asks for."""
    sanitized = sanitize(query, catalog)
    _refuse_clauses(sanitized)
    names = Names(find_sources(sanitized, catalog))
    source = names.first
    if catalog.materialised_by(source.name) is None:
        advice = f"CREATE TABLE QUERYABLE_{source.name} AS {'SELECT'} * FROM {source.name}"
        raise KsqlError(
            f"The {backtick(source.name)} table isn't queryable. To derive a queryable table, you can do '{advice}'. {_HELP}"
        )
    items = expand(sanitized, names, KeyRule("", ()), window_bounds=True)
    for item in items:
        names.check("SELECT", item.expression)
    scope = names.scope()
    keys = {column.name for column in source.schema.key} | set(WINDOW_COLUMNS if source.window else ())
    where = sanitized.where
    condition = None
    if where is not None:
        names.check("WHERE", where)
        try:
            condition = predicate("WHERE", names.bare(with_points_in_time(where)), scope)
        except KsqlError as error:
            error.message = f"{error.message}\nStatement: {sql}"
            raise
    bounds = find_bounds(condition, source)
    return PullPlan(
        source=source,
        select=tuple(NamedExpression(item.name, typed(names.bare(item.expression), scope)) for item in items),
        key_columns=tuple(
            item.name for item in items if isinstance(item.expression, ast.ColumnName) and item.expression.name in keys
        ),
        where=condition,
        keys=bounds.keys,
        key_range=bounds.key_range,
        window_start=bounds.window_start,
        window_end=bounds.window_end,
        limit=query.limit,
        sql=sql,
    )


def _refuse_clauses(query: ast.Query) -> None:
    select = tuple(item.expression for item in query.select if isinstance(item, ast.SelectItem))
    refused = {
        "JOIN": bool(query.joins),
        "WINDOW": query.window is not None,
        "GROUP BY": bool(query.group_by) or bool(aggregate_calls(select)),
        "PARTITION BY": bool(query.partition_by),
        "HAVING": query.having is not None,
    }
    clause = next((name for name, used in refused.items() if used), None)
    if clause is not None:
        raise KsqlError(f"Pull queries don't support {clause} clauses. {_HELP}")
