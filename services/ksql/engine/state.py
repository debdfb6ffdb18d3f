"""State that survives: stores note what they wrote since the last commit, and take the same entries back."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Generic, TypeVar

import orjson

from services.ksql.model.types import KeyDict, KeyList
from shared.json import trimmed

V = TypeVar("V")
Key = tuple[Any, ...]
Change = tuple[str, bytes, bytes | None]


def encode_key(key: Any) -> bytes:
    """A state key (nested tuples of SQL values) as JSON bytes."""
    return written(key, pack)


def written(value: V, packed: Callable[[V], Any]) -> bytes:
    """A value as JSON bytes, by way of ``packed``. Texts may hold halves of surrogate pairs, as JSON can escape them."""
    made = packed(value)
    try:
        return trimmed(orjson.dumps(made))
    except TypeError:
        return json.dumps(made, separators=(",", ":")).encode()


def decode_key(data: bytes) -> Any:
    """What ``encode_key`` made."""
    return unpack(read(data))


def read(data: bytes) -> Any:
    """The packed value that ``written`` wrote."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return json.loads(data)


def pack(value: Any) -> Any:  # noqa: PLR0911 - one answer per type
    """A value as JSON can carry it: bytes, decimals, odd doubles, arrays and objects are marked objects, tuples are lists."""
    if isinstance(value, bytes):
        return {"b": value.hex()}
    if isinstance(value, float) and value - value != 0:  # NaN and the infinities
        return {"f": repr(value)}
    if isinstance(value, tuple):
        return [pack(item) for item in value]
    if isinstance(value, list):
        return {"l": [pack(item) for item in value]}
    if isinstance(value, Decimal):
        return {"d": str(value)}
    if isinstance(value, dict):
        if all(isinstance(name, str) for name in value):
            return {"o": {name: pack(item) for name, item in value.items()}}
        return {"m": [[pack(name), pack(item)] for name, item in value.items()]}
    return value


def unpack(value: Any) -> Any:  # noqa: PLR0911 - one answer per type
    """What was packed. Arrays and objects come back as those of keys."""
    if isinstance(value, list):
        return tuple(unpack(item) for item in value)
    if not isinstance(value, dict):
        return value
    ((mark, held),) = value.items()
    match mark:
        case "b":
            return bytes.fromhex(held)
        case "f":
            return float(held)
        case "d":
            return Decimal(held)
        case "l":
            return KeyList(map(unpack, held))
        case "m":
            return KeyDict((unpack(name), unpack(item)) for name, item in held)
    return KeyDict((name, unpack(item)) for name, item in held.items())


class Store(Generic[V]):
    """Values by key, in memory. ``pack_value`` and ``unpack_value`` turn a value into JSON and back."""

    def __init__(
        self,
        name: str,
        *,
        tracked: bool,
        pack_value: Callable[[V], Any] = pack,
        unpack_value: Callable[[Any], V] = unpack,
    ) -> None:
        self.name = name
        self.data: dict[Any, V] = {}
        self._tracked = tracked
        self._dirty: set[Any] = set()
        self._pack = pack_value
        self._unpack = unpack_value

    def get(self, key: Any) -> V | None:
        return self.data.get(key)

    def put(self, key: Any, value: V) -> None:
        self.data[key] = value
        if self._tracked:
            self._dirty.add(key)

    def mark_dirty(self, key: Any) -> None:
        """Notes that the value of ``key`` was changed in place."""
        if self._tracked:
            self._dirty.add(key)

    def delete(self, key: Any) -> V | None:
        if self._tracked:
            self._dirty.add(key)
        return self.data.pop(key, None)

    def changes(self) -> list[Change]:
        """What was written or deleted since the last call."""
        out: list[Change] = []
        for key in self._dirty:
            value = self.data.get(key)
            packed = None if value is None else written(value, self._pack)
            out.append((self.name, encode_key(key), packed))
        self._dirty.clear()
        return out

    def restores(self) -> dict[str, Callable[[bytes, bytes | None], None]]:
        """What takes back the entries of ``changes``, by the name of the store that they carry."""
        return {self.name: self.restore}

    def restored(self) -> None:
        """Everything was taken back."""

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Takes back an entry of ``changes``."""
        decoded = decode_key(key)
        if value is None:
            self.data.pop(decoded, None)
        else:
            self.data[decoded] = self._unpack(read(value))
