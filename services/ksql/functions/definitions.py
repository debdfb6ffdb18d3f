"""How a function is declared: signatures, ``@scalar`` over a plain function, ``@aggregate`` over a class, ``@table_function``.

A signature reads ``STRING, INTEGER -> STRING``. One capital letter is any type (N any number), the same one wherever it
appears, also inside ``ARRAY<T>``, ``MAP<K, V>`` and ``STRUCT<A T, B U>``; ``_`` for any type at each place, DECIMAL for any DECIMAL.
``STRING...`` repeats a parameter, the last one of a scalar function or any of an aggregate. A lambda's type reads ``(T, U) => V``.
Implicit are only the widening of numbers (INTEGER to BIGINT to DECIMAL to DOUBLE), and texts for points in time. That of an aggregate
may have constants after a bar: ``T | INTEGER, BOOLEAN -> ARRAY<T>``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, ClassVar, Protocol, TypeVar

from services.ksql.model.types import (
    DATE,
    DOUBLE,
    STRING,
    TIME,
    TIMESTAMP,
    BaseType,
    SqlType,
    array_of,
    as_decimal,
    common_type,
    lambda_of,
    map_of,
    struct_of,
)

_ORDER = (BaseType.INTEGER, BaseType.BIGINT, BaseType.DECIMAL, BaseType.DOUBLE)
_OF_TEXT = frozenset({DATE, TIME, TIMESTAMP})
#: what a text costs that becomes a point in time, and a type that a variable had to be widened to
_TEXT_COST, _WIDENED = 10, 3

Bound = dict[str, SqlType]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A type of a signature: ``name`` is a base type, DECIMAL (any), a variable of one letter, or LAMBDA; ``parts`` are inside it,
    those of a struct with ``fields``, the last one of a lambda is its result."""

    name: str
    parts: tuple[Pattern, ...] = ()
    fields: tuple[str, ...] = ()

    @property
    def is_variable(self) -> bool:
        return len(self.name) == 1 or self.name == BaseType.DECIMAL

    @property
    def is_lambda(self) -> bool:
        return self.name == BaseType.LAMBDA

    def __str__(self) -> str:
        inner = ", ".join(map(str, self.parts))
        if self.is_lambda:
            names = ", ".join(map(str, self.parts[:-1]))
            return f"LAMBDA {names if len(self.parts) == 2 else f'({names})'} => {self.parts[-1]}"
        if self.fields:
            inner = ", ".join(f"{name} {part}" for name, part in zip(self.fields, self.parts, strict=True))
        return f"{self.name}<{inner}>" if inner else self.name

    def variables(self) -> set[str]:
        """The variables in it."""
        own = {self.name} if self.is_variable else set()
        return own.union(*(part.variables() for part in self.parts))

    def type(self, bound: Bound) -> SqlType:
        """The type that was found for it; STRING where none was found."""
        if self.is_variable:
            return bound.get(self.name, DOUBLE if self.name == "N" else STRING)
        parts = [part.type(bound) for part in self.parts]
        match self.name:
            case BaseType.ARRAY:
                return array_of(parts[0])
            case BaseType.MAP:
                return map_of(parts[0], parts[1])
            case BaseType.STRUCT:
                return struct_of(*zip(self.fields, parts, strict=True))
            case BaseType.LAMBDA:
                return lambda_of(tuple(("", part) for part in parts[:-1]), parts[-1])
        return SqlType(BaseType(self.name))

    def bind(self, arg: SqlType, bound: Bound) -> bool:
        """Fills in variables so that ``arg`` is, or can become, this type."""
        if self.is_variable:
            return self._bind_variable(arg, bound)
        if not self.parts:
            return _cost(arg, self.type({})) is not None
        if arg.base != self.name:
            return False
        return all(part.bind(inner, bound) for part, inner in zip(self.parts, self._inside(arg), strict=False))

    def _inside(self, arg: SqlType) -> tuple[SqlType, ...]:
        match arg.base:
            case BaseType.ARRAY:
                return (arg.item,)
            case BaseType.MAP:
                return (arg.map_key, arg.item)
            case BaseType.LAMBDA:
                return (*(kind for _, kind in arg.fields), arg.item)
        return tuple(kind for _, kind in arg.fields)

    def _bind_variable(self, arg: SqlType, bound: Bound) -> bool:
        if self.name == "N" and not arg.is_numeric:
            return False
        if arg.base in (BaseType.LAMBDA, BaseType.UNIT):
            return False
        if self.name == "_":
            return True
        if self.name == BaseType.DECIMAL:
            arg = as_decimal(arg)
            if arg.base is not BaseType.DECIMAL:
                return False
        known = bound.get(self.name)
        common = arg if known is None else common_type(known, arg) or _point_in_time(known, arg)
        if common is None:
            return False
        bound[self.name] = common
        return True


def _point_in_time(left: SqlType, right: SqlType) -> SqlType | None:
    if STRING not in (left, right):
        return None
    other = right if left == STRING else left
    return other if other in _OF_TEXT else None


def _split(text: str) -> list[str]:
    """The parts between commas that are in no bracket."""
    parts, depth = [""], 0
    for position, char in enumerate(text):
        depth += char in "<(" or 0
        depth -= char == ")" or (char == ">" and text[position - 1] not in "=-")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts if part.strip()]


@cache
def pattern(text: str) -> Pattern:
    """A type of a signature."""
    text = text.strip()
    if "=>" in text and text.startswith("("):
        parameters, result = text[1:].rsplit(") =>", 1)
        return Pattern(BaseType.LAMBDA, (*map(pattern, _split(parameters)), pattern(result)))
    if not text.endswith(">"):
        return Pattern(text)
    name, inside = text[:-1].split("<", 1)
    if name == BaseType.STRUCT:
        named = [part.split(" ", 1) for part in _split(inside)]
        return Pattern(name, tuple(pattern(kind) for _, kind in named), tuple(field for field, _ in named))
    return Pattern(name, tuple(map(pattern, _split(inside))))


@dataclass(frozen=True, slots=True)
class Match:
    """A signature with its variables filled in; of several, the one with the lowest ``cost`` (widenings) is called."""

    parameters: tuple[SqlType, ...]
    returns: SqlType
    cost: int


@dataclass(frozen=True, slots=True)
class Signature:
    """``variadic`` is the place of the parameter that repeats itself, -1 if none does."""

    parameters: tuple[Pattern, ...]
    returns: Pattern
    variadic: int

    def match(self, args: Sequence[SqlType | None]) -> Match | None:
        """The signature for these argument types (None = NULL), or None where it does not fit."""
        expanded = self.expand(len(args))
        if expanded is None:
            return None
        bound: Bound = {}
        for one, arg in zip(expanded, args, strict=True):
            if arg is not None and not one.bind(arg, bound):
                return None
        parameters = tuple(
            arg if one.name == "_" and arg is not None else one.type(bound)
            for one, arg in zip(expanded, args, strict=True)
        )
        total = int(self.variadic >= 0)
        for one, arg, parameter in zip(expanded, args, parameters, strict=True):
            cost = _cost(arg, parameter)
            if cost is None:
                return None
            total += cost + (_WIDENED if cost and one.is_variable and arg is not None and arg.is_complex else 0)
        return Match(parameters, self.returns.type(bound), total)

    def expand(self, count: int) -> tuple[Pattern, ...] | None:
        """The parameters for so many arguments; the one that repeats itself may be absent."""
        at = self.variadic
        if at < 0:
            return self.parameters if len(self.parameters) == count else None
        times = count - len(self.parameters) + 1
        if times < 0:
            return None
        return self.parameters[:at] + (self.parameters[at],) * times + self.parameters[at + 1 :]


def parse_signature(text: str) -> Signature:
    """``text`` is written as the module's docstring says."""
    left, returns = (part.strip() for part in text.rsplit("->", 1))
    parts = _split(left)
    variadic = next((i for i, part in enumerate(parts) if part.endswith("...")), -1)
    return Signature(tuple(pattern(part.removesuffix("...")) for part in parts), pattern(returns), variadic)


def _cost(arg: SqlType | None, parameter: SqlType) -> int | None:
    """What it costs to make the argument one of the parameter's type; None where it cannot be done."""
    if arg is None or arg == parameter:
        return 0
    if arg.base in _ORDER and parameter.base in _ORDER:
        steps = _ORDER.index(parameter.base) - _ORDER.index(arg.base)
        return None if steps < 0 else 2 * steps + (steps == 0)
    if arg == STRING and parameter in _OF_TEXT:
        return _TEXT_COST
    if arg.base is BaseType.LAMBDA and parameter.base is BaseType.LAMBDA:
        return 0 if len(arg.fields) == len(parameter.fields) else None
    return _WIDENED if arg.is_complex and common_type(arg, parameter) == parameter else None


Invoke = Callable[..., Any]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ScalarFunction:
    """A function for given argument types. ``invoke`` takes the values and handles NULL; it may raise, which means NULL.

    That of a table function gives a list, a row for each item."""

    name: str
    parameter_types: tuple[SqlType, ...]
    return_type: SqlType
    invoke: Invoke
    #: whether NULLs are given to it: one that fails is such an argument, not the end of the expression
    sees_nulls: bool = False


@dataclass(frozen=True, slots=True)
class Variant:
    """One signature and what runs it; ``parameter_names`` are shown by DESCRIBE FUNCTION. ``returns`` computes a return type that a
    signature cannot spell. With ``typed`` the types of the parameters are given to ``invoke`` first."""

    signature: Signature
    invoke: Invoke
    parameter_names: tuple[str, ...]
    returns: Callable[[Match], SqlType] | None = None
    typed: bool = False
    sees_nulls: bool = False

    def resolved(self, name: str, match: Match) -> ScalarFunction:
        """The function for the types of a match."""
        invoke = partial(self.invoke, match.parameters) if self.typed else self.invoke
        returned = self.returns(match) if self.returns else match.returns
        return ScalarFunction(name, match.parameters, returned, invoke, self.sees_nulls)


@dataclass(slots=True)
class Definition:
    """All variants of a name, with its category and description for SHOW and DESCRIBE."""

    name: str
    category: str
    description: str
    variants: list[Variant] = field(default_factory=list)


SCALARS: dict[str, Definition] = {}
TABLE_FUNCTIONS: dict[str, Definition] = {}


def scalar(
    name: str,
    *signatures: str,
    category: str,
    nulls: bool = False,
    returns: Callable[[Match], SqlType] | None = None,
    typed: bool = False,
) -> Callable[[F], F]:
    """Registers the decorated function under ``name`` for ``signatures``.

    Without ``nulls`` a NULL argument gives NULL and the function never sees one. ``returns`` and ``typed`` are those of ``Variant``. A
    function may be decorated several times. Its docstring is the description.
    """

    def register(function: F) -> F:
        definition = SCALARS.setdefault(name, Definition(name, category, inspect.getdoc(function) or ""))
        _add(definition, function, signatures, nulls=nulls, returns=returns, typed=typed)
        return function

    return register


def table_function(
    name: str, *signatures: str, returns: Callable[[Match], SqlType] | None = None, typed: bool = False
) -> Callable[[F], F]:
    """Registers the decorated function, which gives a list: a row for each item. A signature's return type is that of an item."""

    def register(function: F) -> F:
        definition = TABLE_FUNCTIONS.setdefault(name, Definition(name, "TABLE", inspect.getdoc(function) or ""))
        _add(definition, function, signatures, nulls=False, returns=returns, typed=typed)
        return function

    return register


def _add(
    definition: Definition,
    function: Invoke,
    signatures: Sequence[str],
    *,
    nulls: bool,
    returns: Callable[[Match], SqlType] | None,
    typed: bool,
) -> None:
    names = tuple(inspect.signature(function).parameters)[int(typed) :]
    for text in signatures:
        signature = parse_signature(text)
        fixed = None if signature.variadic >= 0 or typed else len(signature.parameters)
        invoke = function if nulls else _null_for_null(function, fixed)
        definition.variants.append(Variant(signature, invoke, names, returns, typed, nulls))


def _null_for_null(function: Invoke, count: int | None) -> Invoke:
    if count == 0:
        return function
    if count == 1:
        return lambda a: None if a is None else function(a)
    if count == 2:
        return lambda a, b: None if a is None or b is None else function(a, b)

    def invoke(*args: Any) -> Any:
        return None if any(a is None for a in args) else function(*args)

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
        wanted = self.literals_for(len(args) + len(literals))
        if wanted is None or len(wanted) != len(literals) or not all(map(_fits, literals, wanted)):
            return None
        match = self.signature.match(args)
        if match is None or match.cost > int(self.signature.variadic >= 0):
            return None
        returned = self.returns(match) if self.returns else match.returns
        kind = self.factory
        kind.check(literals)
        return AggregateFunction(
            name=name,
            parameter_types=match.parameters,
            return_type=returned,
            supports_table=kind.supports_table,
            literal_count=len(literals),
            intermediate_is_complex=kind.is_complex,
            factory=kind,  # type: ignore[arg-type]
        )

    def literals_for(self, count: int) -> tuple[str, ...] | None:
        """The types of the constants at the end of a call with so many arguments, None where there are too few for this variant. With one
        that repeats itself all arguments but the columns are constants."""
        if not self.literals or not self.literals[-1].endswith("..."):
            return self.literals if len(self.literals) < count or not self.literals else None
        repeated = count - len(self.signature.parameters) - len(self.literals) + 1
        return None if repeated < 0 else (*self.literals[:-1], *(self.literals[-1].removesuffix("..."),) * repeated)


def _fits(value: Any, type_name: str) -> bool:
    if type_name == BaseType.BOOLEAN:
        return isinstance(value, bool)
    if type_name == BaseType.STRING:
        return isinstance(value, str)
    return isinstance(value, int) and not isinstance(value, bool)


@dataclass(slots=True)
class AggregateDefinition:
    name: str
    description: str
    variants: list[AggregateVariant] = field(default_factory=list)

    def literal_count(self, count: int) -> int:
        """How many of ``count`` arguments are constants."""
        return max((len(v.literals_for(count) or ()) for v in self.variants), default=0)


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
            columns_given = len(signature.parameters)
            names = ("val", *(f"arg{i}" for i in range(1, columns_given + len(literals))))
            definition.variants.append(AggregateVariant(signature, literals, kind, names, returns))
        return kind

    return register
