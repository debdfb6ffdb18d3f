"""SQL types, as ksqlDB names them, and how a value of each is held.

In rows, and as an item of a column: BOOLEAN is a bool, INTEGER and BIGINT an int, DOUBLE a float, DECIMAL a ``decimal.Decimal`` with
exactly the digits of its scale, STRING a str, BYTES bytes, DATE an int of days, TIME and TIMESTAMP an int of milliseconds. An ARRAY is a
list, a MAP a dict, a STRUCT a dict with all its fields in order. NULL is None everywhere. Where a value is part of a key its lists and
dicts are those of ``in_key``, which have a hash. A value is never changed in place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from services.ksql.errors import KsqlError


class BaseType(StrEnum):
    """The scalar types, the types made of others, and what only arguments of functions are: lambdas and units of time.

    NAMED is a type that CREATE TYPE made, until the analysis has looked it up.
    """

    BOOLEAN = "BOOLEAN"
    INTEGER = "INTEGER"
    BIGINT = "BIGINT"
    DECIMAL = "DECIMAL"
    DOUBLE = "DOUBLE"
    STRING = "STRING"
    BYTES = "BYTES"
    DATE = "DATE"
    TIME = "TIME"
    TIMESTAMP = "TIMESTAMP"
    ARRAY = "ARRAY"
    MAP = "MAP"
    STRUCT = "STRUCT"
    LAMBDA = "LAMBDA"
    UNIT = "INTERVALUNIT"
    NAMED = "NAMED"


@dataclass(frozen=True, slots=True)
class SqlType:
    """A type. ``element`` is that of an ARRAY's items, a MAP's values or a lambda's result; ``key`` that of a MAP's keys.

    ``fields`` (name, type) are those of a STRUCT, or the parameters of a lambda. ``precision`` and ``scale`` are a DECIMAL's.
    """

    base: BaseType
    element: SqlType | None = None
    fields: tuple[tuple[str, SqlType], ...] = ()
    key: SqlType | None = None
    precision: int = 0
    scale: int = 0
    name: str = ""

    def __str__(self) -> str:
        match self.base:
            case BaseType.DECIMAL:
                return f"DECIMAL({self.precision}, {self.scale})"
            case BaseType.ARRAY:
                return f"ARRAY<{self.element}>"
            case BaseType.MAP:
                return f"MAP<{self.key}, {self.element}>"
            case BaseType.STRUCT:
                return f"STRUCT<{', '.join(f'`{name}` {field}' for name, field in self.fields)}>"
            case BaseType.NAMED:
                return self.name
        return self.base.value

    @property
    def is_numeric(self) -> bool:
        return self.base in _WIDTH

    @property
    def is_complex(self) -> bool:
        """Whether values are made of others: ARRAY, MAP and STRUCT."""
        return self.base in _COMPLEX

    @property
    def item(self) -> SqlType:
        """``element`` of an ARRAY, MAP or lambda."""
        if self.element is None:
            raise ValueError(f"{self} has no elements")
        return self.element

    @property
    def map_key(self) -> SqlType:
        """``key`` of a MAP."""
        return self.key or STRING

    def field(self, name: str) -> SqlType | None:
        """The type of a STRUCT's field, None if it has none of this name."""
        return dict(self.fields).get(name)


_WIDTH = {BaseType.INTEGER: 0, BaseType.BIGINT: 1, BaseType.DECIMAL: 2, BaseType.DOUBLE: 3}
_COMPLEX = frozenset({BaseType.ARRAY, BaseType.MAP, BaseType.STRUCT})

BOOLEAN = SqlType(BaseType.BOOLEAN)
INTEGER = SqlType(BaseType.INTEGER)
BIGINT = SqlType(BaseType.BIGINT)
DOUBLE = SqlType(BaseType.DOUBLE)
STRING = SqlType(BaseType.STRING)
BYTES = SqlType(BaseType.BYTES)
DATE = SqlType(BaseType.DATE)
TIME = SqlType(BaseType.TIME)
TIMESTAMP = SqlType(BaseType.TIMESTAMP)
UNIT = SqlType(BaseType.UNIT)


def decimal_of(precision: int, scale: int) -> SqlType:
    """DECIMAL(precision, scale).

    Raises:
        KsqlError: there is no such type.
    """
    if precision < 1:
        raise KsqlError(f"DECIMAL precision must be >= 1: DECIMAL({precision},{scale})")
    if scale < 0:
        raise KsqlError(f"DECIMAL scale must be >= 0: DECIMAL({precision},{scale})")
    if precision < scale:
        raise KsqlError(f"DECIMAL precision must be >= scale: DECIMAL({precision},{scale})")
    return SqlType(BaseType.DECIMAL, precision=precision, scale=scale)


def array_of(element: SqlType) -> SqlType:
    """The type of a list of ``element``."""
    return SqlType(BaseType.ARRAY, element)


def map_of(key: SqlType, value: SqlType) -> SqlType:
    """The type of a dict from ``key`` to ``value``."""
    return SqlType(BaseType.MAP, value, key=key)


def struct_of(*fields: tuple[str, SqlType]) -> SqlType:
    """The type of an object with these fields; a value of it is a dict with the same names."""
    return SqlType(BaseType.STRUCT, None, fields)


def lambda_of(parameters: tuple[tuple[str, SqlType], ...], result: SqlType) -> SqlType:
    """The type of a lambda."""
    return SqlType(BaseType.LAMBDA, result, parameters)


def named_type(name: str) -> SqlType:
    """A type of CREATE TYPE that is not looked up yet."""
    return SqlType(BaseType.NAMED, name=name)


def nested(kind: SqlType) -> tuple[SqlType, ...]:
    """The types that a type is made of."""
    parts = (kind.key, kind.element, *(field for _, field in kind.fields))
    return tuple(part for part in parts if part is not None)


def contains(kind: SqlType, base: BaseType) -> bool:
    """Whether a type is, or has somewhere in it, one of ``base``."""
    return kind.base is base or any(contains(part, base) for part in nested(kind))


def rebuilt(kind: SqlType, change: Any) -> SqlType:
    """The type with ``change`` made to every type in it, the innermost first."""
    if not nested(kind):
        return change(kind)  # type: ignore[no-any-return]
    inner = replace(
        kind,
        element=None if kind.element is None else rebuilt(kind.element, change),
        key=None if kind.key is None else rebuilt(kind.key, change),
        fields=tuple((name, rebuilt(field, change)) for name, field in kind.fields),
    )
    return change(inner)  # type: ignore[no-any-return]


def as_decimal(kind: SqlType) -> SqlType:
    """The DECIMAL that holds every value of a whole number's type; that of a DECIMAL is the same."""
    digits = {BaseType.INTEGER: 10, BaseType.BIGINT: 19}.get(kind.base)
    return kind if digits is None else decimal_of(digits, 0)


def wider(left: SqlType, right: SqlType) -> SqlType | None:
    """The numeric type that holds both, None if one is no number."""
    if left.base not in _WIDTH or right.base not in _WIDTH:
        return None
    if left.base is not BaseType.DECIMAL and right.base is not BaseType.DECIMAL:
        return max(left, right, key=lambda t: _WIDTH[t.base])
    if DOUBLE in (left, right):
        return DOUBLE
    left, right = as_decimal(left), as_decimal(right)
    scale = max(left.scale, right.scale)
    return decimal_of(max(left.precision - left.scale, right.precision - right.scale) + scale, scale)


def common_type(left: SqlType, right: SqlType) -> SqlType | None:
    """The type that values of both can become without a CAST, however deep the difference is; None if there is none.

    Structs must have the same fields, or be without those that the other has.
    """
    if left == right:
        return left
    if (number := wider(left, right)) is not None:
        return number
    if left.base is not right.base or not left.is_complex:
        return None
    if left.base is BaseType.STRUCT:
        return _common_struct(left, right)
    element = common_type(left.item, right.item)
    key = common_type(left.map_key, right.map_key) if left.base is BaseType.MAP else None
    if element is None or (left.base is BaseType.MAP and key is None):
        return None
    return replace(left, element=element, key=key)


def _common_struct(left: SqlType, right: SqlType) -> SqlType | None:
    fields: dict[str, SqlType] = dict(left.fields)
    for name, kind in right.fields:
        known = fields.get(name)
        common = kind if known is None else common_type(known, kind)
        if common is None:
            return None
        fields[name] = common
    return struct_of(*fields.items())


class KeyList(list[Any]):
    """An ARRAY in a key."""

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self))


class KeyDict(dict[Any, Any]):
    """A MAP or STRUCT in a key."""

    __slots__ = ()

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))


def in_key(value: Any) -> Any:
    """The value as a key may have it: the same, and with a hash."""
    if isinstance(value, list):
        return KeyList(map(in_key, value))
    if isinstance(value, dict):
        return KeyDict((name, in_key(item)) for name, item in value.items())
    return value
