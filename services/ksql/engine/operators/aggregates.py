"""The aggregate calls of one GROUP BY as a whole: their states side by side, and code made for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.ksql.engine.column_batch import compile_columns
from services.ksql.engine.expressions import compile_row
from services.ksql.engine.operators.base import Context, Key, Node, Row
from services.ksql.engine.operators.batch_aggregation import BatchAggregation
from services.ksql.engine.state import pack, unpack
from services.ksql.functions.aggregate import Aggregator
from services.ksql.functions.aggregates_basic import Count, CountDistinct, Max
from services.ksql.model.plan import AggregateStep

#: The state of one group (in one window): its time, then one state for each aggregate.
State = list[Any]


class Aggregates:
    """The aggregates of one step as a whole. ``update`` and ``finish`` are code made for them."""

    def __init__(self, context: Context, step: AggregateStep, source: Node) -> None:
        self.parts: list[Aggregator] = [
            call.function.create(call.literals, context.properties) for call in step.aggregates
        ]
        self._arguments = [call.arguments for call in step.aggregates]
        self._counts = [len(arguments) for arguments in self._arguments]
        flat = [argument for arguments in self._arguments for argument in arguments]
        self.values = compile_row(flat, source.layout)
        self.value_columns = compile_columns(flat, source.layout)
        self.update = self._method("add")
        self.undo = self._method("undo")
        self.finish = self._finisher()
        #: for many rows at once; None where their order matters
        self.bulk = BatchAggregation.of(self.parts, self._counts)

    def _method(self, method: str) -> Callable[[State, Row], None]:
        """``update(s, v)``: brings the values of one row into a state, the commonest aggregates without a call."""
        scope: dict[str, Any] = {}
        lines = ["def update(s, v):"]
        at = 0
        for index, (part, count) in enumerate(zip(self.parts, self._counts, strict=True), 1):
            values = [f"v[{at + i}]" for i in range(count)]
            at += count
            scope[f"f{index}"] = getattr(part, method)
            slot = f"s[{index}]"
            if method == "add" and type(part) is Count:
                lines.append(f" {slot} += 1" if not values else f" if {values[0]} is not None: {slot} += 1")
            elif method == "add" and type(part) is Max:
                lines.append(
                    f" if {slot} is None or ({values[0]} is not None and {values[0]} > {slot}): {slot} = {values[0]}"
                )
            elif method == "add" and type(part) is CountDistinct and part.mask:
                lines.append(f" if {values[0]} is not None: {slot}.add({values[0]} & {part.mask})")
            else:
                lines.append(f" {slot} = f{index}({', '.join([slot, *values])})")
        exec("\n".join([*lines, " return None"]), scope)  # noqa: S102 - positions only
        update: Callable[[State, Row], None] = scope["update"]
        return update

    def _finisher(self) -> Callable[[Key, State], Row]:
        scope: dict[str, Any] = {}
        texts = []
        for index, part in enumerate(self.parts, 1):
            scope[f"f{index}"] = part.result
            plain = isinstance(part, Count | Max)
            texts.append(f"s[{index}], " if plain else f"f{index}(s[{index}]), ")
        exec(f"def finish(k, s): return k + ({''.join(texts)})", scope)  # noqa: S102 - positions only
        finish: Callable[[Key, State], Row] = scope["finish"]
        return finish

    def initial(self, t: int) -> State:
        return [t, *(part.initial() for part in self.parts)]

    def merge(self, older: State, newer: State) -> State:
        """The state of two sessions together."""
        merged = [part.merge(a, b) for part, a, b in zip(self.parts, older[1:], newer[1:], strict=True)]
        return [max(older[0], newer[0]), *merged]

    def pack(self, state: State) -> Any:
        return [state[0], *(pack(part.encode(s)) for part, s in zip(self.parts, state[1:], strict=True))]

    def unpack(self, packed: Any) -> State:
        return [packed[0], *(part.decode(unpack(s)) for part, s in zip(self.parts, packed[1:], strict=True))]
