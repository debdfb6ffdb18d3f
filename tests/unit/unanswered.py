"""Consumers whose fetches are never answered, without a broker."""

from __future__ import annotations

import asyncio
from typing import Any


class UnansweredFetches:
    """A fetch is ``sent``; one that is ``cancelled`` ends only when it is ``released``."""

    def __init__(self) -> None:
        self.sent, self.cancelled, self.released = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def attach(self, consumer: Any) -> None:
        """``consumer`` is an AIOKafkaConsumer that is not started."""
        consumer._client.cluster.leader_for_partition = lambda tp: 0
        consumer._client.send = self._send

    async def _send(self, *_: object) -> None:
        self.sent.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()
            await self.released.wait()
