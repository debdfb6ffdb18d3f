"""Many JSON objects at once, as columns. Only where all have the same fields and plain values; the rest is read one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, cast

import numpy as np
import orjson

from services.ksql.functions.exact_json import may_exceed_limits
from services.ksql.model.schema import Column
from services.ksql.model.types import BaseType

#: a list for each column in order, or an array where all are whole numbers
Lists = list[Any]
DecodeMany = Callable[[Sequence[bytes | None]], Lists | None]
Choose = Callable[[Sequence[str], Sequence[str]], tuple[str, ...]]

_NULL = type(None)
#: shorter JSON cannot be beyond a limit
_LONG = 1000
#: what orjson gives for a value that needs no conversion
_CLASSES: dict[BaseType, type] = {
    BaseType.INTEGER: int,
    BaseType.BIGINT: int,
    BaseType.DATE: int,
    BaseType.TIME: int,
    BaseType.TIMESTAMP: int,
    BaseType.DOUBLE: float,
    BaseType.STRING: str,
    BaseType.BOOLEAN: bool,
}
_BITS = {BaseType.INTEGER: 32, BaseType.DATE: 32, BaseType.TIME: 32, BaseType.BIGINT: 64, BaseType.TIMESTAMP: 64}


def _plain(values: Sequence[Any], base: BaseType) -> Any | None:
    """The values as they are if all are of the column's type or NULL; None if one must be converted."""
    kind = _CLASSES.get(base)
    found = set(map(type, values))
    if kind is None or not found <= {kind, _NULL}:
        return None
    if kind is int and found != {_NULL}:
        numbers = values if found == {int} else [v for v in values if v is not None]
        bound = 1 << (_BITS[base] - 1)
        if min(numbers) < -bound or max(numbers) >= bound:
            return None
        return np.array(values, dtype=np.int64) if found == {int} else values
    if kind is float and 0.0 in values:  # perhaps a negative zero, which a decimal does not know
        return [value if value is None else value + 0.0 for value in values]
    return values


def _exceed_limits(data: Sequence[bytes]) -> bool:
    return max(map(len, data)) >= _LONG and any(map(may_exceed_limits, data))


def objects_decoder(columns: Sequence[Column], choose: Choose) -> DecodeMany:
    """``choose`` says which of the fields that are there feeds each column; a name that is not there means none.

    What it gives is None where the values must be read one by one: a malformed one, other fields, a type to convert.
    """
    names = tuple(c.name for c in columns)
    bases = [c.type.base for c in columns]

    def decode(data: Sequence[bytes | None]) -> Lists | None:
        try:
            found = [orjson.loads(value) for value in data]  # type: ignore[arg-type] # None is refused, too
        except (ValueError, TypeError):
            return None
        if not found or _exceed_limits(cast(Sequence[bytes], data)) or set(map(type, found)) != {dict} or not found[0]:
            return None
        fields = tuple(found[0])
        if set(map(len, found)) != {len(fields)}:
            return None
        try:
            # as many fields, and all of these: so these are all
            lists = list(zip(*map(itemgetter(*fields, fields[0]), found), strict=True))
        except KeyError:
            return None
        by_name = dict(zip(fields, lists, strict=False))
        nothing = (None,) * len(found)
        made = []
        for name, base in zip(choose(fields, names), bases, strict=True):
            plain = _plain(by_name.get(name, nothing), base)
            if plain is None:
                return None
            made.append(plain)
        return made

    return decode
