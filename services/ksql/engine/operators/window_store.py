"""The state of time windows, found by key and by start."""

from __future__ import annotations

from typing import Any

from services.ksql.engine.operators.aggregate import State
from services.ksql.engine.operators.base import Key
from services.ksql.engine.state import Store, decode_key


class WindowStore(Store[State]):
    """States by (window start, key), with the keys of each start at hand so that eviction looks at old windows only."""

    def __init__(self, name: str, tracked: bool, pack_value: Any, unpack_value: Any) -> None:
        super().__init__(name, tracked=tracked, pack_value=pack_value, unpack_value=unpack_value)
        self._by_start: dict[int, set[Key]] = {}

    def put(self, key: Any, value: State) -> None:
        if key not in self.data:
            self._by_start.setdefault(key[0], set()).add(key[1])
        super().put(key, value)

    def restore(self, key: bytes, value: bytes | None) -> None:
        super().restore(key, value)
        start, one = decode_key(key)
        if value is not None:
            self._by_start.setdefault(start, set()).add(one)
        elif start in self._by_start:
            self._by_start[start].discard(one)

    def starts(self) -> list[int]:
        """The starts of all windows that are kept, in order."""
        return sorted(self._by_start)

    def evict(self, horizon: int, belongs: Any) -> None:
        """Forgets windows that start at or before ``horizon``, of keys that ``belongs`` says yes to."""
        for start in [s for s in self._by_start if s <= horizon]:
            keys = self._by_start[start]
            for key in [k for k in keys if belongs(k)]:
                keys.discard(key)
                self.delete((start, key))
            if not keys:
                del self._by_start[start]
