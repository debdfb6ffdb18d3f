"""What a pull query's WHERE says about keys and windows, to look up instead of scan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from services.ksql.model import expression as ex
from services.ksql.model.pull import OPEN, Range
from services.ksql.model.schema import DataSource

_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}


@dataclass(frozen=True, slots=True)
class Bounds:
    keys: tuple[tuple[Any, ...], ...] | None = None
    key_range: Range = OPEN
    window_start: Range = OPEN
    window_end: Range = OPEN


def find_bounds(condition: ex.Expression | None, source: DataSource) -> Bounds:
    """The bounds that every row which passes ``condition`` keeps."""
    key_names = [column.name for column in source.schema.key]
    equal: dict[str, tuple[Any, ...]] = {}
    ranges = dict.fromkeys((*key_names, "WINDOWSTART", "WINDOWEND"), OPEN)
    for conjunct in _conjuncts(condition):
        if isinstance(conjunct, ex.In) and not conjunct.negated and isinstance(conjunct.operand, ex.ColumnRef):
            values = [option.value for option in conjunct.options if isinstance(option, ex.Literal)]
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
    return Bounds(
        keys=keys,
        key_range=ranges[only_key] if only_key is not None and keys is None else OPEN,
        window_start=ranges["WINDOWSTART"] if source.window else OPEN,
        window_end=ranges["WINDOWEND"] if source.window else OPEN,
    )


def _conjuncts(expression: ex.Expression | None) -> Iterator[ex.Expression]:
    if isinstance(expression, ex.Logical) and expression.op == "AND":
        yield from _conjuncts(expression.left)
        yield from _conjuncts(expression.right)
    elif expression is not None:
        yield expression


def _comparisons(expression: ex.Expression) -> Iterator[tuple[str, str, Any]]:
    """(column, operator, constant) of what a conjunct compares."""
    match expression:
        case ex.Comparison(op=op, left=ex.ColumnRef(name=name), right=ex.Literal(value=value)) if op in _FLIPPED:
            yield name, op, value
        case ex.Comparison(op=op, left=ex.Literal(value=value), right=ex.ColumnRef(name=name)) if op in _FLIPPED:
            yield name, _FLIPPED[op], value
        case ex.Between(
            operand=ex.ColumnRef(name=name), low=ex.Literal(value=low), high=ex.Literal(value=high), negated=False
        ):
            yield name, ">=", low
            yield name, "<=", high


def _narrow(old: Range, op: str, value: Any) -> Range:
    if op in ("=", ">", ">=") and (old.low is None or value >= old.low):
        old = replace(old, low=value, low_inclusive=op != ">")
    if op in ("=", "<", "<=") and (old.high is None or value <= old.high):
        old = replace(old, high=value, high_inclusive=op != "<")
    return old
