"""Pull queries: a SELECT without EMIT over a materialised table, and the keys and windows that its WHERE allows to look up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from services.ksql.analysis.catalog import Catalog
from services.ksql.analysis.expressions import predicate, typed, with_points_in_time
from services.ksql.analysis.grouping import aggregate_calls
from services.ksql.analysis.names import Names, find_sources, qualify
from services.ksql.analysis.projection import KeyRule, expand
from services.ksql.errors import KsqlError
from services.ksql.model import typed_expressions as ex
from services.ksql.model.plan import OPEN, NamedExpression, PullPlan, Range
from services.ksql.model.schema import WINDOW_COLUMNS, DataSource
from services.ksql.sql import ast
from services.ksql.sql.format import backtick

_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}


@dataclass(frozen=True, slots=True)
class PullBounds:
    keys: tuple[tuple[Any, ...], ...] | None = None
    key_range: Range = OPEN
    window_start: Range = OPEN
    window_end: Range = OPEN


def find_bounds(condition: ex.Expression | None, source: DataSource) -> PullBounds:
    """The bounds that every row which passes ``condition`` keeps."""
    key_names = [column.name for column in source.schema.key]
    equal: dict[str, tuple[Any, ...]] = {}
    ranges = dict.fromkeys((*key_names, "WINDOWSTART", "WINDOWEND"), OPEN)
    for conjunct in _conjuncts(condition):
        if isinstance(conjunct, ex.TypedIn) and not conjunct.negated and isinstance(conjunct.operand, ex.ColumnRef):
            values = [option.value for option in conjunct.options if isinstance(option, ex.TypedLiteral)]
            if len(values) == len(conjunct.options) and conjunct.operand.name in key_names:
                equal.setdefault(conjunct.operand.name, tuple(dict.fromkeys(values)))
        for name, op, value in _comparisons(conjunct):
            if name not in ranges:
                continue
            if op == "=" and name in key_names:
                equal[name] = (value,)
            ranges[name] = _narrow(ranges[name], op, value)
    keys = None
    if key_names and all(name in equal for name in key_names):
        keys = tuple(product(*(equal[name] for name in key_names)))
    only_key = key_names[0] if len(key_names) == 1 else None
    return PullBounds(
        keys=keys,
        key_range=ranges[only_key] if only_key is not None and keys is None else OPEN,
        window_start=ranges["WINDOWSTART"] if source.window else OPEN,
        window_end=ranges["WINDOWEND"] if source.window else OPEN,
    )


def _conjuncts(expression: ex.Expression | None) -> Iterator[ex.Expression]:
    if isinstance(expression, ex.TypedLogical) and expression.op == "AND":
        yield from _conjuncts(expression.left)
        yield from _conjuncts(expression.right)
    elif expression is not None:
        yield expression


def _comparisons(expression: ex.Expression) -> Iterator[tuple[str, str, Any]]:
    """(column, operator, constant) of what a conjunct compares."""
    match expression:
        case ex.TypedComparison(op=op, left=ex.ColumnRef(name=name), right=ex.TypedLiteral(value=value)) if (
            op in _FLIPPED
        ):
            yield name, op, value
        case ex.TypedComparison(op=op, left=ex.TypedLiteral(value=value), right=ex.ColumnRef(name=name)) if (
            op in _FLIPPED
        ):
            yield name, _FLIPPED[op], value
        case ex.TypedBetween(
            operand=ex.ColumnRef(name=name),
            low=ex.TypedLiteral(value=low),
            high=ex.TypedLiteral(value=high),
            negated=False,
        ):
            yield name, ">=", low
            yield name, "<=", high


def _narrow(old: Range, op: str, value: Any) -> Range:
    if op in ("=", ">", ">=") and (old.low is None or value >= old.low):
        old = replace(old, low=value, low_inclusive=op != ">")
    if op in ("=", "<", "<=") and (old.high is None or value <= old.high):
        old = replace(old, high=value, high_inclusive=op != "<")
    return old


_HELP = "See https://cnfl.io/queries for more info.\nAdd EMIT CHANGES if you intended to issue a push query."


def plan_pull_query(query: ast.Select, catalog: Catalog, sql: str) -> PullPlan:
    """The look-up that a pull query asks for."""
    sanitized = qualify(query, catalog)
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


def _refuse_clauses(query: ast.Select) -> None:
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
