"""Signatures of functions, written as ``STRING, INTEGER -> STRING``, and how argument types are matched to them.

``T`` stands for any type, ``N`` for any number, the same one wherever it appears; ``STRING...`` repeats the last parameter.
Only widening of numbers (INTEGER to BIGINT to DOUBLE) is implicit, as in ksqlDB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    """``text`` is as in the module's docstring."""
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
