"""Many small questions at once become one request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

from shared.single_flight import retrieve

K = TypeVar("K")
V = TypeVar("V")

#: long enough for all requests of one observation to come together, too short to be noticed
_GATHER_S = 0.003


class Coalescer(Generic[K, V]):
    """Gathers the keys that are asked for within a few milliseconds and fetches them together."""

    def __init__(self, fetch: Callable[[set[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._fetch = fetch
        self._keys: set[K] = set()
        self._batch: asyncio.Task[Mapping[K, V]] | None = None

    async def get(self, key: K) -> V | None:
        """The answer for ``key``, None if there is none. A caller that gives up does not cancel the others' answer."""
        self._keys.add(key)
        if self._batch is None:
            self._batch = asyncio.create_task(self._run(), name="gathered request")
            self._batch.add_done_callback(retrieve)
        return (await asyncio.shield(self._batch)).get(key)

    async def _run(self) -> Mapping[K, V]:
        await asyncio.sleep(_GATHER_S)
        keys, self._keys, self._batch = self._keys, set(), None
        return await self._fetch(keys)
