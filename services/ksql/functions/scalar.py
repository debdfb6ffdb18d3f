"""How a scalar function is added: one decorator over one plain function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from services.ksql.functions.signature import Signature, parse_signature
from services.ksql.model.types import SqlType

Invoke = Callable[..., Any]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ScalarFunction:
    """A function for given argument types. ``invoke`` takes the values and handles NULL; it may raise, which means NULL."""

    name: str
    parameter_types: tuple[SqlType, ...]
    return_type: SqlType
    invoke: Invoke


@dataclass(frozen=True, slots=True)
class Variant:
    """One signature and what runs it; ``parameter_names`` are shown by DESCRIBE FUNCTION."""

    signature: Signature
    invoke: Invoke
    parameter_names: tuple[str, ...]


@dataclass(slots=True)
class Definition:
    """All variants of a name, with its category and description for SHOW and DESCRIBE."""

    name: str
    category: str
    description: str
    variants: list[Variant] = field(default_factory=list)


SCALARS: dict[str, Definition] = {}


def scalar(name: str, *signatures: str, category: str, nulls: bool = False) -> Callable[[F], F]:
    """Registers the decorated function under ``name`` for ``signatures``.

    Without ``nulls`` a NULL argument gives NULL and the function never sees one. A function may be decorated several
    times. Its docstring is the description.
    """

    def register(function: F) -> F:
        definition = SCALARS.setdefault(name, Definition(name, category, inspect.getdoc(function) or ""))
        names = tuple(inspect.signature(function).parameters)
        for text in signatures:
            signature = parse_signature(text)
            fixed = None if signature.variadic else len(signature.parameters)
            invoke = function if nulls else _null_for_null(function, fixed)
            definition.variants.append(Variant(signature, invoke, names))
        return function

    return register


def _null_for_null(function: Invoke, count: int | None) -> Invoke:
    if count == 0:
        return function
    if count == 1:
        return lambda a: None if a is None else function(a)
    if count == 2:
        return lambda a, b: None if a is None or b is None else function(a, b)

    def invoke(*args: Any) -> Any:
        return None if None in args else function(*args)

    return invoke
