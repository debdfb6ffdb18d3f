"""Finds functions by name and argument types. To add one, decorate it in its family's module (``@scalar``, ``@aggregate``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.ksql.errors import FunctionError
from services.ksql.functions import (  # noqa: F401 - importing a family registers it
    aggregates,
    date_time,
    json,
    maths,
    nulls,
    strings,
    urls,
)
from services.ksql.functions.definitions import (
    AGGREGATES,
    SCALARS,
    AggregateFunction,
    AggregateVariant,
    Match,
    ScalarFunction,
    Variant,
)
from services.ksql.model.types import SqlType


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    type: str
    is_variadic: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of SHOW FUNCTIONS; ``signatures`` (parameters, return type) is for DESCRIBE FUNCTION. ``type`` is SCALAR or AGGREGATE."""

    name: str
    type: str
    category: str
    description: str
    signatures: tuple[tuple[tuple[Parameter, ...], str], ...]


def exists(name: str) -> bool:
    """Whether there is a function, scalar or aggregate, of this name (any case)."""
    return name.upper() in SCALARS or is_aggregate(name)


def is_aggregate(name: str) -> bool:
    """Whether ``name`` (any case) is an aggregate function."""
    return name.upper() in AGGREGATES


def resolve_scalar(name: str, args: Sequence[SqlType | None]) -> ScalarFunction:
    """The function ``name`` for these argument types (None = NULL); numbers may be widened.

    Raises:
        FunctionError: no such name, or no variant for these types.
    """
    definition = SCALARS.get(name.upper())
    if definition is None:
        raise FunctionError(f"Can't find any functions with the name '{name}'")
    best: tuple[int, Match, Variant] | None = None
    for variant in definition.variants:
        match = variant.signature.match(args)
        if match is not None and (best is None or match.cost < best[0]):
            best = (match.cost, match, variant)
    if best is None:
        raise FunctionError(_mismatch(definition.name, args, definition.variants, named=definition.name.lower()))
    _, match, variant = best
    return ScalarFunction(definition.name, match.parameters, match.returns, variant.invoke)


def resolve_aggregate(name: str, args: Sequence[SqlType | None], literals: Sequence[Any] = ()) -> AggregateFunction:
    """The aggregate ``name`` over columns of the types ``args``, with its constant parameters ``literals``.

    ``literal_count`` tells how many arguments of a call are constants: they are in ``literals``, not in ``args``.

    Raises:
        FunctionError: no such name, or no variant for these types.
    """
    definition = AGGREGATES.get(name.upper())
    if definition is None:
        raise FunctionError(f"Can't find any functions with the name '{name}'")
    for variant in definition.variants:
        function = variant.resolve(definition.name, args, literals)
        if function is not None:
            return function
    raise FunctionError(_mismatch(definition.name, args, definition.variants, named=definition.name))


def literal_count(name: str, count: int) -> int:
    """How many of ``count`` arguments of the aggregate ``name`` are constants at the end (1 for TOPK(x, 3))."""
    definition = AGGREGATES.get(name.upper())
    return definition.literal_count(count) if definition else 0


def list_functions() -> list[Listed]:
    """Every function, sorted by name."""
    scalars = [
        Listed(d.name, "SCALAR", d.category, d.description, tuple(_shown(v) for v in d.variants))
        for d in SCALARS.values()
    ]
    aggregated = [
        Listed(d.name, "AGGREGATE", "AGGREGATE", d.description, tuple(_shown(v) for v in d.variants))
        for d in AGGREGATES.values()
    ]
    return sorted(scalars + aggregated, key=lambda f: f.name)


def _shown(variant: Variant | AggregateVariant) -> tuple[tuple[Parameter, ...], str]:
    signature = variant.signature
    last = len(signature.parameters) - 1
    parameters = tuple(
        Parameter(
            variant.parameter_names[i] if i < len(variant.parameter_names) else f"arg{i}",
            text,
            signature.variadic and i == last,
        )
        for i, text in enumerate(signature.parameters)
    )
    return parameters, signature.returns


_SHORT = {"INTEGER": "INT", "STRING": "VARCHAR", "ARRAY<STRING>": "ARRAY<VARCHAR>"}


def _mismatch(
    name: str, args: Sequence[SqlType | None], variants: Sequence[Variant | AggregateVariant], *, named: str
) -> str:
    """As ksqlDB words it, which ``named`` its scalar functions in small letters here."""
    given = ", ".join("null" if a is None else str(a) for a in args)
    lines = []
    for variant in variants:
        parameters, _ = _shown(variant)
        shown = ", ".join(f"{_SHORT.get(p.type, p.type)}{'...' if p.is_variadic else ''} {p.name}" for p in parameters)
        lines.append(f"{name}({shown})")
    alternatives = "\n".join(lines)
    return (
        f"Function '{named}' does not accept parameters ({given}).\nValid alternatives are:\n{alternatives}\n"
        "For detailed information on a function run: DESCRIBE FUNCTION <Function-Name>;"
    )
