"""Which rejected events have been replayed, as the state topic remembers it.

One of its records has the offset below which every event is done. An event that is rejected again stays where it is and holds this offset
back; those after it that are done are marked, one record of the state topic for each block of offsets. So an event is sent once, and one
that is still not valid can be sent after the next repair without being written again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.collector.journal import Record
from services.collector.settings import Settings
from services.collector.topic_log import Page, Stored
from shared.json import dumps, loads

#: offsets of a block, which is what one request replays
BLOCK: Final = 1_000
_RECEIVED: Final = "received_at"


def block_end(offset: int) -> int:
    """The first offset of the next block."""
    return (offset // BLOCK + 1) * BLOCK


class Replays:
    """Of the events in ``page``, which lies within one block. ``low``: the offset below which all are done."""

    def __init__(self, settings: Settings, state: Mapping[str, bytes], page: Page, low: int) -> None:
        self._topic = settings.state_topic
        self._key = f"{settings.collector_id}:replayed"
        self._begin = page.begin
        self._low = self._written = low
        #: an event before may still have to be sent
        self._held = page.begin > low
        self._first = page.begin // BLOCK * BLOCK
        self._blocks = {
            int(key.rpartition(":")[2]): value for key, value in state.items() if key.startswith(f"{self._key}:")
        }
        self._done = self._read_marks(page)

    @staticmethod
    def low(settings: Settings, state: Mapping[str, bytes], first: int, end: int) -> int:
        """The offset below which all are done in a topic from ``first`` to ``end``."""
        saved = int(loads(state.get(f"{settings.collector_id}:replayed", b'{"next":0}'))["next"])
        # beyond the end: the topic was deleted and created again
        return max(saved, first) if saved <= end else first

    def _read_marks(self, page: Page) -> int:
        """The marks of the block as bits. Those of a topic that was deleted since mean nothing: the newest marked event is another one."""
        if self._first not in self._blocks:
            return 0
        saved = loads(self._blocks[self._first])
        newest = saved["newest"]
        known = any(r.offset == newest and r.headers.get(_RECEIVED) == saved[_RECEIVED] for r in page.records)
        return int(saved["done"], 16) if known or newest < page.begin else 0

    def is_done(self, record: Stored) -> bool:
        return bool(self._done >> (record.offset - self._first) & 1)

    def hold(self) -> None:
        """An event is still not valid: the offset below which all are done stays before it."""
        self._held = True

    def mark_of(self, record: Stored) -> Record:
        """For the state topic, in the transaction of what is sent for the event; ``sent`` follows."""
        if not self._held:
            return self._position(record.offset + 1)
        marks = {"done": f"{self._with(record):x}", "newest": record.offset, _RECEIVED: record.headers[_RECEIVED]}
        return self._topic, f"{self._key}:{self._first}", dumps(marks).decode()

    def sent(self, record: Stored) -> None:
        if self._held:
            self._done = self._with(record)
        else:
            self._low = self._written = record.offset + 1

    def skipped(self, record: Stored, *, duplicate: bool) -> list[Record]:
        """For the state topic at once. An event that is not for this collector needs no mark: it never will be."""
        if not self._held:
            self._low = record.offset + 1
        elif duplicate:
            mark = self.mark_of(record)
            self.sent(record)
            return [mark]
        return []

    def end(self, after: int) -> list[Record]:
        """For the state topic, when all events below ``after`` were looked at: what is not written yet, and the blocks that are over."""
        low = self._low if self._held else max(self._low, after)
        if low == self._written:
            return []
        over = [first for first in self._blocks if first + BLOCK <= low]
        return [self._position(low), *((self._topic, f"{self._key}:{first}", None) for first in over)]

    def _with(self, record: Stored) -> int:
        return self._done | 1 << (record.offset - self._first)

    def _position(self, following: int) -> Record:
        return self._topic, self._key, dumps({"next": following}).decode()
