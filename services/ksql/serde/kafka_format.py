"""X"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

from services.ksql.model.schema import Column
from services.ksql.model.types import BaseType
from services.ksql.serde.base import DecodeError
from services.ksql.serde.json import DecodeMany
from shared.lazy_numpy import np

_STRUCTS = {
    BaseType.INTEGER: struct.Struct(">i"),
    BaseType.BIGINT: struct.Struct(">q"),
    BaseType.DOUBLE: struct.Struct(">d"),
}


def decoder(columns: Sequence[Column]) -> Callable[[bytes], tuple[Any, ...]]:
    """Reads a record's bytes; numbers must have their exact size."""
    if not columns:
        return lambda data: ()
    base = columns[0].type.base
    if base in _STRUCTS:
        packed = _STRUCTS[base]
        size, unpack = packed.size, packed.unpack

        def decode(data: bytes) -> tuple[Any, ...]:
            if len(data) != size:
                raise DecodeError(f"Size of data received by the deserializer is not {size}")
            return unpack(data)

        return decode
    if base is BaseType.BYTES:
        return lambda data: (data,)
    return lambda data: (data.decode("utf-8", "replace"),)


def many_decoder(columns: Sequence[Column]) -> DecodeMany | None:
    """Reads whole numbers of many records at once; None where there are others, or bytes that are none."""
    base = columns[0].type.base if columns else BaseType.STRING
    if base not in (BaseType.INTEGER, BaseType.BIGINT):
        return None
    size = _STRUCTS[base].size

    def decode(data: Sequence[bytes | None]) -> list[Any] | None:
        try:
            if set(map(len, data)) != {size}:  # type: ignore[arg-type] # None is refused, too
                return None
        except TypeError:
            return None
        return [np.frombuffer(b"".join(data), dtype=f">i{size}").astype(np.int64)]  # type: ignore[arg-type]

    return decode


def encoder(columns: Sequence[Column]) -> Callable[[Sequence[Any]], bytes | None]:
    """Writes a row of one value; NULL is no bytes at all."""
    if not columns:
        return lambda row: None
    base = columns[0].type.base
    if base in _STRUCTS:
        pack = _STRUCTS[base].pack
        return lambda row: None if row[0] is None else pack(row[0])
    if base is BaseType.BYTES:
        return lambda row: None if row[0] is None else bytes(row[0])
    return lambda row: None if row[0] is None else row[0].encode("utf-8", "replace")
