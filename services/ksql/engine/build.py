"""Plan to operators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from services.ksql.engine.expressions import columns_in
from services.ksql.engine.operators.aggregate import Aggregate
from services.ksql.engine.operators.base import Context, Node
from services.ksql.engine.operators.joins import ForeignKeyJoin, StreamStreamJoin, StreamTableJoin, TableTableJoin
from services.ksql.engine.operators.rows import Explode, Filter, PartitionBy, Project
from services.ksql.engine.operators.session_windows import SessionAggregate
from services.ksql.engine.operators.source import HIDDEN, Source
from services.ksql.engine.operators.time_windows import TimeWindowAggregate
from services.ksql.engine.operators.windowing import Suppress
from services.ksql.engine.state import encode_key
from services.ksql.model import plan as p
from services.ksql.model.schema import SourceKind, WindowType
from services.ksql.serde.formats import encoder


class Builder:
    """Makes the operators of one plan; ``sources`` collects those that read topics, in order of appearance."""

    def __init__(self, context: Context, plan: p.QueryPlan) -> None:
        self._context = context
        self._hidden = tuple(name for name in HIDDEN if name in columns_in(plan.root))
        self.sources: list[Source] = []
        self.nodes: list[Node] = []

    def build(self, step: p.Step) -> Node:
        node = self._make(step)
        if not isinstance(step, p.SourceStep | p.JoinStep):
            node.inputs[0].down = node
        self.nodes.append(node)
        return node

    def _make(self, step: p.Step) -> Node:  # noqa: PLR0911 - one answer per step
        context = self._context
        match step:
            case p.SourceStep():
                source = Source(context, step, self._hidden if step.alias is None else ())
                self.sources.append(source)
                return source
            case p.FilterStep():
                return Filter(context, step, self.build(step.input))
            case p.ProjectStep():
                return Project(context, step, self.build(step.input))
            case p.PartitionByStep():
                return PartitionBy(context, step, self.build(step.input))
            case p.ExplodeStep():
                return Explode(context, step, self.build(step.input))
            case p.AggregateStep():
                return self._aggregate(step)
            case p.JoinStep():
                return self._join(step)
            case p.SuppressStep():
                return Suppress(context, self.build(step.input), _window_below(step))
        raise TypeError(f"not a step of a plan: {step!r}")

    def _aggregate(self, step: p.AggregateStep) -> Node:
        source = self.build(step.input)
        spec = step.window_spec
        if spec is None:
            return Aggregate(self._context, step, source)
        kind = SessionAggregate if spec.type is WindowType.SESSION else TimeWindowAggregate
        return kind(self._context, step, source, spec)

    def _join(self, step: p.JoinStep) -> Node:
        left, right = self.build(step.left), self.build(step.right)
        if step.foreign_key:
            return ForeignKeyJoin(self._context, step, left, right)
        if step.left.kind is SourceKind.TABLE:
            return TableTableJoin(self._context, step, left, right)
        if step.right.kind is SourceKind.TABLE:
            return StreamTableJoin(self._context, step, left, right)
        return StreamStreamJoin(self._context, step, left, right)


def _window_below(step: p.Step) -> p.WindowSpec:
    """The window that an EMIT FINAL waits for."""
    while not isinstance(step, p.AggregateStep):
        if isinstance(step, p.SourceStep | p.JoinStep):
            raise TypeError("EMIT FINAL is over no aggregation")
        step = step.input
    if step.window_spec is None:
        raise TypeError("EMIT FINAL is over no window")
    return step.window_spec


def internal_key_encoder(plan: p.QueryPlan) -> Callable[[Sequence[Any]], bytes | None]:
    """How keys are written between operators, which decides the partition that a group lies in: as the sink writes its keys."""
    if plan.sink is not None and plan.sink.schema.key and plan.sink.key_format.name.upper() != "NONE":
        count = len(plan.sink.schema.key)
        encode = encoder(plan.sink.key_format, plan.sink.schema.key, is_key=True)

        def guarded(key: Sequence[Any]) -> bytes | None:
            try:
                return encode(key) if len(key) == count else encode_key(tuple(key))
            except Exception:
                return encode_key(tuple(key))

        return guarded
    return lambda key: encode_key(tuple(key))
