"""CREATE OR REPLACE of a query: which changes the state of the old one allows."""

from __future__ import annotations

from collections.abc import Iterator

from services.ksql.errors import RequestError
from services.ksql.model.expression import Call, Cast, ColumnRef, Expression, Literal
from services.ksql.model.plan import AggregateStep, JoinStep, QueryPlan, SourceStep, Step
from services.ksql.model.schema import SourceKind


def check_upgrade(old: QueryPlan, new: QueryPlan) -> None:
    """Refuse a new plan that could not go on with the state of the old one.

    Raises:
        RequestError: joins, windows, or other aggregates.
    """
    for step in _steps(new.root):
        if isinstance(step, JoinStep):
            raise RequestError(f"Upgrades not yet supported for {_join_name(step)}")
        if isinstance(step, AggregateStep) and step.window_spec is not None:
            raise RequestError("Upgrades not yet supported for StreamWindowedAggregate")
    before, after = _aggregates(old), _aggregates(new)
    if before != after:
        step_name = "TableAggregate" if _over_table(new) else "StreamAggregate"
        raise RequestError(
            f"Query is not upgradeable. Plan step of type {step_name} must have matching aggregate functions. "
            f"Values differ: [{', '.join(before)}] vs. [{', '.join(after)}]"
        )


def _steps(step: Step) -> Iterator[Step]:
    while True:
        yield step
        if isinstance(step, SourceStep):
            return
        if isinstance(step, JoinStep):
            yield from _steps(step.left)
            yield from _steps(step.right)
            return
        step = step.input


def _join_name(step: JoinStep) -> str:
    if step.foreign_key:
        return "ForeignKeyTableTableJoin"
    sides = {SourceKind.STREAM: "Stream", SourceKind.TABLE: "Table"}
    return f"{sides[step.left.kind]}{sides[step.right.kind]}Join"


def _over_table(plan: QueryPlan) -> bool:
    return any(isinstance(step, AggregateStep) and step.input.kind is SourceKind.TABLE for step in _steps(plan.root))


def _aggregates(plan: QueryPlan) -> list[str]:
    return [
        f"{call.function.name}({', '.join(_show(a) for a in call.arguments) or 'ROWTIME'})"
        for step in _steps(plan.root)
        if isinstance(step, AggregateStep)
        for call in step.aggregates
    ]


def _show(expression: Expression) -> str:
    match expression:
        case ColumnRef(name=name):
            return name
        case Literal(value=value):
            return repr(value)
        case Cast(operand=operand):
            return _show(operand)
        case Call(name=name, arguments=arguments):
            return f"{name}({', '.join(map(_show, arguments))})"
        case _:
            return str(expression)
