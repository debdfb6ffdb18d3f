"""SQL types, as ksqlDB names them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class BaseType(StrEnum):
    """The scalar types in scope, and ARRAY, which only aggregates such as COLLECT_LIST give."""

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


@dataclass(frozen=True, slots=True)
class SqlType:
    """A type; ``element`` is set for arrays only."""

    base: BaseType
    element: SqlType | None = None

    def __str__(self) -> str:
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
