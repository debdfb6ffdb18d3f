"""How an aggregate function is added: one decorator over one class.

A signature reads ``T | INTEGER, BOOLEAN -> ARRAY<T>``: column arguments, then after the bar constants.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeVar

from services.ksql.functions.signature import Match, Signature, parse_signature
from services.ksql.model.types import BaseType, SqlType


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
class Call:
    """What a new aggregator is told: types of its columns, the constants, and the server's properties."""

    types: tuple[SqlType, ...]
    literals: tuple[Any, ...]
    properties: Mapping[str, str]


class BaseAggregator:
    """Shared defaults. A subclass says with ``supports_table`` that it can undo, with ``is_complex`` that its state is no scalar."""

    supports_table: ClassVar[bool] = False
    is_complex: ClassVar[bool] = True

    def __init__(self, call: Call) -> None:
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
    factory: Callable[[Call], Aggregator]

    def create(self, literals: Sequence[Any] = (), properties: Mapping[str, str] | None = None) -> Aggregator:
        return self.factory(Call(self.parameter_types, tuple(literals), properties or {}))


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
