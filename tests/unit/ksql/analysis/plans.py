"""What every plan must hold, whatever the query: names resolve in the step below, schemas tell the truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from services.ksql.model.plan import (
    AggregateStep,
    FilterStep,
    JoinStep,
    PartitionByStep,
    ProjectStep,
    QueryPlan,
    SourceStep,
    Step,
    SuppressStep,
)
from services.ksql.model.schema import PSEUDO_COLUMNS, WINDOW_COLUMNS
from services.ksql.model.typed_expressions import ColumnRef, Expression
from services.ksql.model.types import SqlType


def column_refs(node: object) -> Iterator[ColumnRef]:
    """Every column that an expression mentions."""
    if isinstance(node, ColumnRef):
        yield node
    elif isinstance(node, tuple):
        for part in node:
            yield from column_refs(part)
    elif is_dataclass(node):
        for field in fields(node):
            if field.name != "function":
                yield from column_refs(getattr(node, field.name))


def _scope(step: Step) -> dict[str, SqlType]:
    scope: dict[str, SqlType] = {**PSEUDO_COLUMNS, **WINDOW_COLUMNS}
    scope |= {column.name: column.type for column in step.schema.key}
    return scope | {column.name: column.type for column in step.schema.value}


def _check(step: Step, *expressions: Expression) -> None:
    scope = _scope(step)
    for ref in column_refs(expressions):
        assert scope.get(ref.name) == ref.type, f"{ref} is not in {sorted(scope)}"


def check_plan(plan: QueryPlan) -> None:
    """Fails where a step of ``plan`` mentions what the step below does not give."""
    _check_step(plan.root)


def _check_step(step: Step) -> None:
    match step:
        case SourceStep():
            return
        case JoinStep():
            _check(step.left, step.left_key)
            _check(step.right, step.right_key)
            assert step.left_key.type == step.right_key.type
            assert step.schema.value == step.left.schema.value + step.right.schema.value
            names = [column.name for column in step.schema.value]
            assert len(names) == len(set(names))
            _check_step(step.left)
            _check_step(step.right)
            return
        case FilterStep():
            _check(step.input, step.predicate)
            assert step.schema == step.input.schema
        case ProjectStep():
            _check(step.input, *(value.expression for value in step.values))
            given = {column.name: column.type for column in step.input.schema.key}
            for name, column in zip(step.keys, step.schema.key, strict=True):
                assert given[name] == column.type
            for value, column in zip(step.values, step.schema.value, strict=True):
                assert (value.name, value.expression.type) == (column.name, column.type)
        case PartitionByStep():
            _check(step.input, *(key.expression for key in step.keys))
            known = _scope(step.input)
            assert all(known.get(column.name) == column.type for column in step.schema.value)
        case AggregateStep():
            _check(step.input, *(group.expression for group in step.group_by))
            for call in step.aggregates:
                _check(step.input, *call.arguments)
        case SuppressStep():
            assert step.schema == step.input.schema
    assert step.kind in (step.input.kind, "TABLE")
    _check_step(step.input)
