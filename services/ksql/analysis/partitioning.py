"""PARTITION BY: a new key for a stream."""

from __future__ import annotations

from services.ksql.analysis.expressions import Scope, typed
from services.ksql.analysis.keys import KeyColumn
from services.ksql.analysis.names import Names
from services.ksql.analysis.sanitize import SYSTEM_COLUMNS, AliasGenerator
from services.ksql.errors import KsqlError
from services.ksql.functions import registry
from services.ksql.model.plan import NamedExpression, PartitionByStep, Step
from services.ksql.model.schema import Column, Schema, SourceKind
from services.ksql.sql import ast
from services.ksql.sql.ast import walk
from services.ksql.sql.format import format_expression


def check_keys(clause: str, expressions: tuple[ast.Expression, ...]) -> None:
    """No aggregate function may stand in GROUP BY or PARTITION BY, and nothing twice."""
    for index, expression in enumerate(expressions):
        if expression in expressions[:index]:
            raise KsqlError(f"Duplicate expression in {clause} clause: {format_expression(expression)}")
        for node in walk(expression):
            if isinstance(node, ast.Call) and registry.is_aggregate(node.name):
                raise KsqlError(f"{clause} does not support aggregate functions: {node.name} is an aggregate function.")


def partition(
    query: ast.Query, step: Step, names: Names, scope: Scope
) -> tuple[PartitionByStep, tuple[KeyColumn, ...]]:
    """The step that gives the new key, and what may stand for its columns in the SELECT."""
    if step.kind is SourceKind.TABLE:
        raise KsqlError("PARTITION BY is only supported on streams. To re-key a table use GROUP BY.")
    check_keys("PARTITION BY", query.partition_by)
    for expression in query.partition_by:
        names.check("PARTITION BY", expression)
    is_null = [isinstance(expression, ast.Literal) and expression.value is None for expression in query.partition_by]
    if any(is_null):
        if len(is_null) > 1:
            raise KsqlError("Cannot PARTITION BY multiple columns including NULL")
        return _step(step, ()), ()
    taken = [column.name for column in step.schema.columns]
    named = name_keys(query.partition_by, query, names, taken, keep_pseudo=True)
    typed_keys = tuple(NamedExpression(name, typed(names.bare(key), scope)) for name, key in named)
    keys = tuple(KeyColumn(name, (key,), key) for name, key in named)
    return _step(step, typed_keys), keys


def name_keys(
    expressions: tuple[ast.Expression, ...],
    query: ast.Query,
    names: Names,
    taken: list[str],
    *,
    keep_pseudo: bool = False,
) -> list[tuple[str, ast.Expression]]:
    """A name for each key expression: its column's, that of its select item, or a generated one.

    ``keep_pseudo``: a pseudo column gives its name too, as ksqlDB does for PARTITION BY ROWTIME.
    """
    namer = AliasGenerator("KSQL_COL_", taken)
    aliases = {item.expression: item.alias for item in query.select if isinstance(item, ast.SelectItem)}
    named: list[tuple[str, ast.Expression]] = []
    for expression in expressions:
        if isinstance(expression, ast.ColumnName) and (keep_pseudo or expression.name not in SYSTEM_COLUMNS):
            name = names.plain(expression.source, expression.name)
        else:
            name = aliases.get(expression) or namer()
            if name in taken or name in SYSTEM_COLUMNS:
                name = namer()
        named.append((name, expression))
    return named


def _step(step: Step, keys: tuple[NamedExpression, ...]) -> PartitionByStep:
    key_names = {key.name for key in keys}
    value = [column for column in step.schema.value if column.name not in key_names]
    value_names = {column.name for column in value}
    value += [column for column in step.schema.key if column.name not in key_names | value_names]
    key = tuple(Column(k.name, k.expression.type) for k in keys if k.expression.type is not None)
    return PartitionByStep(step, keys, Schema(key, tuple(value)), step.kind, step.window)
