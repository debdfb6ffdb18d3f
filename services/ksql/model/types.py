"""SQL types, as ksqlDB names them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class BaseType(StrEnum):
    """The scalar types in scope, and ARRAY and STRUCT, which only aggregates such as COLLECT_LIST and TOPK give."""

    BOOLEAN = "BOOLEAN"
    INTEGER = "INTEGER"
    BIGINT = "BIGINT"
    DOUBLE = "DOUBLE"
    STRING = "STRING"
    BYTES = "BYTES"
    DATE = "DATE"
    TIME = "TIME"
    TIMESTAMP = "TIMESTAMP"
    ARRAY = "ARRAY"
    STRUCT = "STRUCT"


@dataclass(frozen=True, slots=True)
class SqlType:
    """A type; ``element`` is set for arrays only, ``fields`` (name, type) for structs only."""

    base: BaseType
    element: SqlType | None = None
    fields: tuple[tuple[str, SqlType], ...] = ()

    def __str__(self) -> str:
        if self.base is BaseType.STRUCT:
            return f"STRUCT<{', '.join(f'`{name}` {field}' for name, field in self.fields)}>"
        return f"ARRAY<{self.element}>" if self.element else self.base.value

    @property
    def is_numeric(self) -> bool:
        return self.base in _NUMERIC


BOOLEAN = SqlType(BaseType.BOOLEAN)
INTEGER = SqlType(BaseType.INTEGER)
BIGINT = SqlType(BaseType.BIGINT)
DOUBLE = SqlType(BaseType.DOUBLE)
STRING = SqlType(BaseType.STRING)
BYTES = SqlType(BaseType.BYTES)
DATE = SqlType(BaseType.DATE)
TIME = SqlType(BaseType.TIME)
TIMESTAMP = SqlType(BaseType.TIMESTAMP)

_NUMERIC = frozenset({BaseType.INTEGER, BaseType.BIGINT, BaseType.DOUBLE})


def array_of(element: SqlType) -> SqlType:
    """The type of a list of ``element``."""
    return SqlType(BaseType.ARRAY, element)


def struct_of(*fields: tuple[str, SqlType]) -> SqlType:
    """The type of an object with these fields; a value of it is a dict with the same names."""
    return SqlType(BaseType.STRUCT, None, fields)
