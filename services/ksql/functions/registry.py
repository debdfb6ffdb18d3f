"""Finds functions by name and argument types. To add one, decorate it in its family's module (``@scalar``, ``@aggregate``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.ksql.errors import FunctionError
from services.ksql.functions import (  # noqa: F401 - importing a family registers it
    aggregates,
    arrays,
    date_time,
    encoding,
    json,
    lambdas,
    maps,
    maths,
    nulls,
    strings,
    table_functions,
    urls,
)
from services.ksql.functions.definitions import (
    AGGREGATES,
    SCALARS,
    TABLE_FUNCTIONS,
    AggregateFunction,
    AggregateVariant,
    Definition,
    Match,
    ScalarFunction,
    Variant,
)
from services.ksql.model.types import BOOLEAN, INTEGER, STRING, SqlType


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    type: str
    is_variadic: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of SHOW FUNCTIONS; ``signatures`` (parameters, return type) is for DESCRIBE FUNCTION. ``type`` is SCALAR, AGGREGATE or
    TABLE."""

    name: str
    type: str
    category: str
    description: str
    signatures: tuple[tuple[tuple[Parameter, ...], str], ...]


def exists(name: str) -> bool:
    """Whether there is a function of this name (any case)."""
    return name.upper() in SCALARS or is_aggregate(name) or is_table_function(name)


def is_aggregate(name: str) -> bool:
    """Whether ``name`` (any case) is an aggregate function."""
    return name.upper() in AGGREGATES


def is_table_function(name: str) -> bool:
    """Whether ``name`` (any case) is a table function."""
    return name.upper() in TABLE_FUNCTIONS


def lambda_parameters(
    name: str, args: Sequence[SqlType | None], places: Mapping[int, int]
) -> dict[int, tuple[SqlType, ...]]:
    """The types of the parameters of the lambdas in a call of ``name``, by their place among the arguments.

    ``places`` has the places and numbers of parameters; there ``args`` has anything.

    Raises:
        FunctionError: no variant takes such lambdas.
    """
    definition = SCALARS.get(name.upper())
    for variant in definition.variants if definition is not None else ():
        expanded = variant.signature.expand(len(args))
        if expanded is None or {i for i, one in enumerate(expanded) if one.is_lambda} != set(places):
            continue
        bound: dict[str, SqlType] = {}
        others = [(one, arg) for i, (one, arg) in enumerate(zip(expanded, args, strict=True)) if i not in places]
        if not all(arg is None or one.bind(arg, bound) for one, arg in others):
            continue
        if all(len(expanded[i].parts) - 1 == count for i, count in places.items()):
            return {i: tuple(part.type(bound) for part in expanded[i].parts[:-1]) for i in places}
    shown = [None if i in places else arg for i, arg in enumerate(args)]
    if definition is None:
        raise FunctionError(f"Can't find any functions with the name '{name}'")
    raise FunctionError(
        _mismatch(definition.name, shown, definition.variants, named=_declared(definition.name), places=places)
    )


def resolve_table_function(name: str, args: Sequence[SqlType | None]) -> ScalarFunction:
    """The table function ``name`` for these argument types; its return type is that of the items that it gives.

    Raises:
        FunctionError: no such name, or no variant for these types.
    """
    return _resolved(TABLE_FUNCTIONS[name.upper()], args)


def resolve_scalar(name: str, args: Sequence[SqlType | None]) -> ScalarFunction:
    """The function ``name`` for these argument types (None = NULL); numbers may be widened.

    Raises:
        FunctionError: no such name, or no variant for these types.
    """
    definition = SCALARS.get(name.upper())
    if definition is None:
        raise FunctionError(f"Can't find any functions with the name '{name}'")
    return _resolved(definition, args)


def _resolved(definition: Definition, args: Sequence[SqlType | None]) -> ScalarFunction:
    found: list[tuple[Match, Variant]] = []
    for variant in definition.variants:
        match = variant.signature.match(args)
        if match is not None:
            found.append((match, variant))
    if not found:
        raise FunctionError(_mismatch(definition.name, args, definition.variants, named=_declared(definition.name)))
    if args and all(arg is None for arg in args) and len({match.parameters for match, _ in found}) > 1:
        raise FunctionError(_ambiguous(definition, args))
    match, variant = min(found, key=lambda pair: pair[0].cost)
    converted = any(a is not None and a.base is not p.base for a, p in zip(args, match.parameters, strict=True))
    if variant.signature.variadic >= 0 and converted and len({match.parameters for match, _ in found}) > 1:
        raise FunctionError(_ambiguous(definition, args))
    return variant.resolved(definition.name, match)


def _ambiguous(definition: Definition, args: Sequence[SqlType | None]) -> str:
    given = ", ".join("null" if a is None else str(a) for a in args)
    return (
        f"Function '{definition.name.lower()}' cannot be resolved due to ambiguous method parameters ({given}).\n"
        "Use CAST() to explicitly cast your parameters to one of the supported signatures.\n"
        f"Valid alternatives are:\n{_alternatives(definition.name, definition.variants)}\n"
        "For detailed information on a function run: DESCRIBE FUNCTION <Function-Name>;"
    )


def resolve_aggregate(name: str, args: Sequence[SqlType | None], literals: Sequence[Any] = ()) -> AggregateFunction:
    """The aggregate ``name`` over columns of the types ``args``, with its constant parameters ``literals``.

    ``literal_count`` is how many arguments of a call are constants: they are in ``literals``, not in ``args``.

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
    given = [*args, *map(_type_of, literals)]
    raise FunctionError(_mismatch(definition.name, given, definition.variants, named=definition.name))


def _type_of(literal: Any) -> SqlType | None:
    """The type of a constant."""
    if literal is None:
        return None
    return BOOLEAN if isinstance(literal, bool) else STRING if isinstance(literal, str) else INTEGER


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
    tables = [
        Listed(d.name, "TABLE", d.category, d.description, tuple(_shown(v) for v in d.variants))
        for d in TABLE_FUNCTIONS.values()
    ]
    return sorted(scalars + aggregated + tables, key=lambda f: f.name)


def _shown(variant: Variant | AggregateVariant) -> tuple[tuple[Parameter, ...], str]:
    signature = variant.signature
    parameters = tuple(
        Parameter(
            variant.parameter_names[i] if i < len(variant.parameter_names) else f"arg{i}",
            str(one),
            i == signature.variadic,
        )
        for i, one in enumerate(signature.parameters)
    )
    return parameters, str(signature.returns)


_SHORT = {"INTEGER": "INT", "STRING": "VARCHAR", "ARRAY<STRING>": "ARRAY<VARCHAR>"}


def _declared(name: str) -> str:
    """How messages name a scalar function: as ksqlDB declares it, in small letters but for one."""
    return name if name == "COALESCE" else name.lower()


def _mismatch(
    name: str,
    args: Sequence[SqlType | None],
    variants: Sequence[Variant | AggregateVariant],
    *,
    named: str,
    places: Mapping[int, int] | None = None,
) -> str:
    """As ksqlDB words it."""
    shown = ["null" if a is None else str(a) for a in args]
    for at in places or ():
        shown[at] = "LAMBDA"
    return (
        f"Function '{named}' does not accept parameters ({', '.join(shown)}).\nValid alternatives are:\n"
        f"{_alternatives(name, variants)}\n"
        "For detailed information on a function run: DESCRIBE FUNCTION <Function-Name>;"
    )


def _alternatives(name: str, variants: Sequence[Variant | AggregateVariant]) -> str:
    lines = []
    for variant in variants:
        parameters, _ = _shown(variant)
        shown = ", ".join(f"{_SHORT.get(p.type, p.type)}{'...' if p.is_variadic else ''} {p.name}" for p in parameters)
        lines.append(f"{name.lower() if name in TABLE_FUNCTIONS else name}({shown})")
    return "\n".join(lines)
