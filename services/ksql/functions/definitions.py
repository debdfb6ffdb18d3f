"""How a function is declared: signatures, ``@scalar`` over a plain function, ``@aggregate`` over a class.

A signature reads ``STRING, INTEGER -> STRING``. ``T`` is any type, ``N`` for any number, the same one wherever it
appears; ``STRING...`` repeats the last parameter. Only widening of numbers (INTEGER to BIGINT to DOUBLE) is implicit, as in
ksqlDB. That of an aggregate may have constants after a bar: ``T | INTEGER, BOOLEAN -> ARRAY<T>``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

from services.ksql.model.types import BIGINT, DOUBLE, INTEGER, BaseType, SqlType

_WIDENING = (INTEGER, BIGINT, DOUBLE)
_VARIABLES = ("T", "N")


@dataclass(frozen=True, slots=True)
class Match:
    """A signature with its variables filled in; of several, the one with the lowest ``cost`` (widenings) is called."""

    parameters: tuple[SqlType, ...]
    returns: SqlType
    cost: int


@dataclass(frozen=True, slots=True)
class Signature:
    parameters: tuple[str, ...]
    returns: str
    variadic: bool

    def match(self, args: Sequence[SqlType | None]) -> Match | None:
        """The signature for these argument types (None = NULL), or None where it does not fit."""
        names = self._expand(len(args))
        if names is None:
            return None
        bound = _bind(names, args)
        if bound is None:
            return None
        parameters = tuple(_type(name, bound) for name in names)
        costs = [_cost(arg, parameter) for arg, parameter in zip(args, parameters, strict=True)]
        if None in costs:
            return None
        return Match(parameters, _type(self.returns, bound), sum(c or 0 for c in costs) + int(self.variadic))

    def _expand(self, count: int) -> tuple[str, ...] | None:
        if not self.variadic:
            return self.parameters if len(self.parameters) == count else None
        fixed = self.parameters[:-1]
        if count < len(self.parameters):
            return None
        return fixed + (self.parameters[-1],) * (count - len(fixed))


def parse_signature(text: str) -> Signature:
    """``text`` is written as the module's docstring says."""
    left, returns = (part.strip() for part in text.split("->"))
    parameters = tuple(p.strip() for p in left.split(",")) if left else ()
    variadic = bool(parameters) and parameters[-1].endswith("...")
    return Signature(tuple(p.removesuffix("...") for p in parameters), returns, variadic)


def widest(types: Sequence[SqlType]) -> SqlType | None:
    """The type that all of ``types`` can become without a CAST, if there is one."""
    if not types:
        return None
    if all(t == types[0] for t in types):
        return types[0]
    if all(t in _WIDENING for t in types):
        return max(types, key=_WIDENING.index)
    return None


def _bind(names: Sequence[str], args: Sequence[SqlType | None]) -> dict[str, SqlType] | None:
    bound: dict[str, SqlType] = {}
    for variable in _VARIABLES:
        given = [a for name, a in zip(names, args, strict=True) if name == variable and a is not None]
        if not given:
            bound[variable] = DOUBLE if variable == "N" else SqlType(BaseType.STRING)
            continue
        common = widest(given)
        if common is None or (variable == "N" and not common.is_numeric):
            return None
        bound[variable] = common
    return bound


def _type(name: str, bound: dict[str, SqlType]) -> SqlType:
    if name.startswith("ARRAY<"):
        return SqlType(BaseType.ARRAY, _type(name[6:-1], bound))
    return bound[name] if name in bound else SqlType(BaseType(name))


def _cost(arg: SqlType | None, parameter: SqlType) -> int | None:
    if arg is None or arg == parameter:
        return 0
    if arg in _WIDENING and parameter in _WIDENING and _WIDENING.index(arg) < _WIDENING.index(parameter):
        return 2 * (_WIDENING.index(parameter) - _WIDENING.index(arg))
    return None


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


class Aggregator(Protocol):
    """The working part of one aggregate call. A state is any value; ``add`` and the like give the new one (it may be the same object).

    ``encode`` gives what JSON can carry, ``decode`` takes it back. ``undo`` is only called where ``supports_table`` is true.
    """

    def initial(self) -> Any: ...
    def add(self, state: Any, *values: Any) -> Any: ...
    def undo(self, state: Any, *values: Any) -> Any: ...
    def merge(self, older: Any, newer: Any) -> Any: ...
    def result(self, state: Any) -> Any: ...
    def encode(self, state: Any) -> Any: ...
    def decode(self, state: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class AggregateArguments:
    """What an aggregator is made of: the types of its columns, the constants, and the server's properties."""

    types: tuple[SqlType, ...]
    literals: tuple[Any, ...]
    properties: Mapping[str, str]


class BaseAggregator:
    """Shared defaults. A subclass says with ``supports_table`` that it can undo, with ``is_complex`` that its state is no scalar."""

    supports_table: ClassVar[bool] = False
    is_complex: ClassVar[bool] = True

    def __init__(self, call: AggregateArguments) -> None:
        self.call = call

    @classmethod
    def check(cls, literals: Sequence[Any]) -> None:
        """Raises FunctionError for constants that make no sense."""

    def undo(self, state: Any, *values: Any) -> Any:
        raise AssertionError(f"{type(self).__name__} cannot undo {values!r} in {state!r}")

    def result(self, state: Any) -> Any:
        return state

    def encode(self, state: Any) -> Any:
        return state

    def decode(self, state: Any) -> Any:
        return state


@dataclass(frozen=True, slots=True)
class AggregateFunction:
    """An aggregate for given column types. ``create`` gives the part that works, for the constants of the call."""

    name: str
    parameter_types: tuple[SqlType, ...]
    return_type: SqlType
    supports_table: bool
    literal_count: int
    intermediate_is_complex: bool
    factory: Callable[[AggregateArguments], Aggregator]

    def create(self, literals: Sequence[Any] = (), properties: Mapping[str, str] | None = None) -> Aggregator:
        return self.factory(AggregateArguments(self.parameter_types, tuple(literals), properties or {}))


@dataclass(frozen=True, slots=True)
class AggregateVariant:
    signature: Signature
    literals: tuple[str, ...]
    factory: type[BaseAggregator]
    parameter_names: tuple[str, ...]
    returns: Callable[[Match], SqlType] | None

    def resolve(self, name: str, args: Sequence[SqlType | None], literals: Sequence[Any]) -> AggregateFunction | None:
        """The function for columns of the types ``args`` and these constants, or None where this variant does not fit."""
        if len(literals) != len(self.literals) or not all(map(_fits, literals, self.literals)):
            return None
        match = self.signature.match(args)
        if match is None or match.cost:
            return None
        returned = self.returns(match) if self.returns else match.returns
        kind = self.factory
        kind.check(literals)
        return AggregateFunction(
            name=name,
            parameter_types=match.parameters,
            return_type=returned,
            supports_table=kind.supports_table,
            literal_count=len(self.literals),
            intermediate_is_complex=kind.is_complex,
            factory=kind,  # type: ignore[arg-type]
        )


def _fits(value: Any, type_name: str) -> bool:
    if type_name == BaseType.BOOLEAN:
        return isinstance(value, bool)
    return isinstance(value, int) and not isinstance(value, bool)


@dataclass(slots=True)
class AggregateDefinition:
    name: str
    description: str
    variants: list[AggregateVariant] = field(default_factory=list)

    def literal_count(self, count: int) -> int:
        return max((len(v.literals) for v in self.variants if len(v.literals) < count), default=0)


AGGREGATES: dict[str, AggregateDefinition] = {}
C = TypeVar("C", bound=type[BaseAggregator])


def aggregate(name: str, *signatures: str, returns: Callable[[Match], SqlType] | None = None) -> Callable[[C], C]:
    """Registers the decorated class under ``name``; ``returns`` computes a return type that a signature cannot spell."""

    def register(kind: C) -> C:
        definition = AGGREGATES.setdefault(name, AggregateDefinition(name, inspect.getdoc(kind) or ""))
        for text in signatures:
            left, returned = text.split("->")
            columns, _, constants = left.partition("|")
            signature = parse_signature(f"{columns}->{returned}")
            literals = tuple(c.strip() for c in constants.split(",") if c.strip())
            names = ("val", *(f"arg{i}" for i in range(1, len(literals) + 1)))
            definition.variants.append(AggregateVariant(signature, literals, kind, names, returns))
        return kind

    return register
