"""The execution plan of EXPLAIN, as ksqlDB words it: its steps, the last one first, each with its schema and its logger.

Some of ksqlDB's steps are no steps of this engine: the projection before a GROUP BY, the new key before a join, the names of a join's
sides. They are shown all the same, as the schemas between them are what a reader looks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from services.ksql.model.plan import (
    AggregateStep,
    ExplodeStep,
    FilterStep,
    JoinStep,
    PartitionByStep,
    ProjectStep,
    QueryPlan,
    SourceStep,
    Step,
    SuppressStep,
)
from services.ksql.model.schema import Column, Schema
from services.ksql.model.typed_expressions import ColumnRef, Expression
from services.ksql.model.types import BIGINT, INTEGER, STRING
from services.ksql.sql.format import quote

_ROWTIME = Column("ROWTIME", BIGINT)
_PSEUDO = (_ROWTIME, Column("ROWPARTITION", INTEGER), Column("ROWOFFSET", BIGINT))
_BOUNDS = (Column("WINDOWSTART", BIGINT), Column("WINDOWEND", BIGINT))


class _Shown(NamedTuple):
    operation: str
    schema: Schema
    logger: str
    inputs: Sequence[_Shown] = ()


def execution_plan(plan: QueryPlan, query_id: str) -> str:
    """The steps of ``plan``, a line each, indented by their distance from the last."""
    shown = _step(plan.root, "")
    if plan.sink is not None:
        shown = _Shown("SINK", plan.sink.schema, plan.sink.name, [shown])
    return "".join(_lines(shown, query_id, 0))


def _lines(shown: _Shown, query_id: str, depth: int) -> Iterator[str]:
    keys = [f"{quote(column.name)} {column.type} KEY" for column in shown.schema.key]
    columns = ", ".join([*keys, *(f"{quote(column.name)} {column.type}" for column in shown.schema.value)])
    indent = "\t\t" * depth
    yield f"{indent} > [ {shown.operation} ] | Schema: {columns} | Logger: {query_id}.{shown.logger}\n"
    for each in shown.inputs:
        yield from _lines(each, query_id, depth + 1)


def _step(step: Step, side: str) -> _Shown:
    """``side`` is where a join is among joins: empty for the last, L_ for its left side."""
    match step:
        case SourceStep():
            return _source(step, "KsqlTopic")
        case JoinStep():
            left, right = (
                _side(step.left, step.left_key, side, "Left", step),
                _side(step.right, step.right_key, side, "Right", step),
            )
            schema = Schema(step.schema.key, (*left.schema.value, *right.schema.value))
            return _Shown("JOIN", schema, f"{side}Join", [left, right])
        case AggregateStep():
            return _aggregate(step, side)
    below = _step(step.input, side)
    grouped = below.logger.startswith("Aggregate.")
    match step:
        case FilterStep():
            shown = ("FILTER", below.schema, "Aggregate.HavingFilter" if grouped else "WhereFilter")
        case ProjectStep():
            shown = ("PROJECT", step.schema, "Aggregate.Project" if grouped else "Project")
        case PartitionByStep():
            shown = ("REKEY", Schema(step.schema.key, below.schema.value), "PartitionBy")
        case ExplodeStep(functions=functions):
            exploded = [column for column in step.schema.value if column.name in {each.name for each in functions}]
            shown = ("FLAT_MAP", _with(below.schema, exploded), "FlatMap")
        case SuppressStep():
            shown = ("SUPPRESS", below.schema, "Aggregate.Suppress")
    return _Shown(*shown, [below])


def _source(step: SourceStep, context: str) -> _Shown:
    schema = step.source.schema
    bounds = _BOUNDS if step.source.window is not None else ()
    return _Shown("SOURCE", _with(schema, (*_PSEUDO, *schema.key, *bounds)), f"{context}.Source")


def _side(step: Step, key: Expression, side: str, name: str, join: JoinStep) -> _Shown:
    """A side of a join: its columns get its name before them, and it gets the key of the join if that is another one."""
    if not isinstance(step, SourceStep):
        return _step(step, f"{side}{name[0]}_")
    shown = _source(step, f"KafkaTopic_{side}{name}")
    prefix = f"{step.alias}_" if step.alias else ""
    keys = shown.schema.key
    rekeyed = not (isinstance(key, ColumnRef) and key.name in {f"{prefix}{column.name}" for column in keys})
    if rekeyed and not join.foreign_key:
        new = key.name.removeprefix(prefix) if isinstance(key, ColumnRef) else join.schema.key[0].name
        shown = _Shown("REKEY", Schema((_column(new, key),), shown.schema.value), f"{side}{name}SourceKeyed", [shown])
    named = [
        tuple(Column(prefix + column.name, column.type) for column in part)
        for part in (shown.schema.key, shown.schema.value)
    ]
    return _Shown("PROJECT", Schema(*named), f"PrependAlias{side}{name}", [shown])


def _aggregate(step: AggregateStep, side: str) -> _Shown:
    below = _step(step.input, side)
    required: dict[str, Column] = {}
    for index, expression in enumerate(_required(step)):
        name = expression.name if isinstance(expression, ColumnRef) else f"KSQL_INTERNAL_COL_{index}"
        required.setdefault(name, _column(name, expression))
    values = tuple(required.values())
    prepared = _Shown("PROJECT", Schema(below.schema.key, values), "Aggregate.Prepare", [below])
    grouped = _Shown("GROUP_BY", Schema(step.schema.key, values), "Aggregate.GroupBy", [prepared])
    bounds = _BOUNDS if step.window_spec is not None else ()
    schema = Schema(step.schema.key, (*values, *step.schema.value, *bounds))
    return _Shown("AGGREGATE", schema, "Aggregate.Aggregate", [grouped])


def _required(step: AggregateStep) -> list[Expression]:
    """What the groups and the aggregates are made of, each once; COUNT(*) counts the ROWTIMEs."""
    found: list[Expression] = [each.expression for each in step.group_by]
    for call in step.aggregates:
        found += call.arguments or [ColumnRef(_ROWTIME.name, _ROWTIME.type)]
    return list(dict.fromkeys(found))


def _column(name: str, expression: Expression) -> Column:
    return Column(name, expression.type or STRING)


def _with(schema: Schema, more: Sequence[Column]) -> Schema:
    return Schema(schema.key, (*schema.value, *more))
