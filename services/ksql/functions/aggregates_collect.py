"""COLLECT_LIST and COLLECT_SET: arrays of the values, NULL included."""

from __future__ import annotations

from typing import Any

from services.ksql.functions.aggregate import BaseAggregator, Call, aggregate

_UNLIMITED = 2**31 - 1


class _Collect(BaseAggregator):
    setting = ""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._limit = int(call.properties.get(self.setting, _UNLIMITED))
        if self._limit < 0:
            self._limit = _UNLIMITED

    def initial(self) -> Any:
        return []

    def result(self, state: Any) -> list[Any]:
        return list(state)

    def encode(self, state: Any) -> Any:
        return [v.hex() if isinstance(v, bytes) else v for v in state]

    def decode(self, state: Any) -> Any:
        kind = self.call.types[0].base.value
        return [bytes.fromhex(v) if kind == "BYTES" and v is not None else v for v in state]


@aggregate("COLLECT_LIST", "T -> ARRAY<T>")
class CollectList(_Collect):
    """All values in the order of arrival."""

    supports_table = True
    setting = "ksql.functions.collect_list.limit"

    def add(self, state: list[Any], value: Any) -> list[Any]:
        if len(state) < self._limit:
            state.append(value)
        return state

    def undo(self, state: list[Any], value: Any) -> list[Any]:
        for index in range(len(state) - 1, -1, -1):
            if state[index] == value:
                del state[index]
                break
        return state

    def merge(self, older: list[Any], newer: list[Any]) -> list[Any]:
        return (older + newer)[: self._limit]


@aggregate("COLLECT_SET", "T -> ARRAY<T>")
class CollectSet(_Collect):
    """The different values in the order of their first arrival."""

    setting = "ksql.functions.collect_set.limit"

    def initial(self) -> Any:
        return {}

    def add(self, state: dict[Any, None], value: Any) -> dict[Any, None]:
        if len(state) < self._limit:
            state[value] = None
        return state

    def merge(self, older: dict[Any, None], newer: dict[Any, None]) -> dict[Any, None]:
        return dict.fromkeys(list(older | newer)[: self._limit])

    def decode(self, state: Any) -> Any:
        return dict.fromkeys(super().decode(state))
