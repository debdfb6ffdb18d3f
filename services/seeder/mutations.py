"""Keeps the table changing at a given pace, so that change capture can be seen to work."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from services.seeder.jobs import WriteJob
from services.seeder.people import People
from services.seeder.store import Store, Transaction

#: one transaction per tick
_TICK_S: Final = 0.1
#: after a stall at most this much is caught up
_CATCH_UP_S: Final = 5.0
#: more than sums of floating-point fractions can lack
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Pace:
    """Changes per second of each kind, for ``duration_s`` seconds (None: until stopped)."""

    updates_per_s: float = 0.0
    deletes_per_s: float = 0.0
    inserts_per_s: float = 0.0
    duration_s: float | None = None


@dataclass(slots=True)
class Mutations:
    """One run of mutations and what it has done so far."""

    pace: Pace
    seed: int | None = None
    null_fraction: float = 0.05
    updates: int = 0
    deletes: int = 0
    inserts: int = 0
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def ends_at(self) -> datetime | None:
        return None if self.pace.duration_s is None else self.started_at + timedelta(seconds=self.pace.duration_s)

    async def run(self, job: WriteJob, store: Store) -> None:
        people = People(self.seed)
        ids = await store.user_ids()
        owed = _Owed(self.pace)
        while True:
            # One moment for both questions: what is owed up to the end is made, however long a transaction takes.
            now = time.monotonic()
            updates, deletes, inserts = owed.take(now)
            if updates or deletes or inserts:
                async with store.transaction() as transaction:
                    await self._insert(transaction, people, ids, inserts)
                    await self._update(transaction, people, ids, updates)
                    await self._delete(transaction, people, ids, deletes)
                job.done = self.updates + self.deletes + self.inserts
            if owed.over(now):
                return
            await job.pause(_TICK_S)

    async def _insert(self, transaction: Transaction, people: People, ids: list[int], count: int) -> None:
        for person in people.draw(count, null_fraction=self.null_fraction):
            ids.append(await transaction.insert_one(person))
            self.inserts += 1

    async def _update(self, transaction: Transaction, people: People, ids: list[int], count: int) -> None:
        if count and ids:
            chosen = [ids[i] for i in people.choose(len(ids), count)]
            changed = people.draw(len(chosen), null_fraction=self.null_fraction)
            self.updates += await transaction.update(chosen, changed)

    async def _delete(self, transaction: Transaction, people: People, ids: list[int], count: int) -> None:
        # From the back, so that a position stays right while others are taken out.
        positions = sorted(people.choose(len(ids), count), reverse=True) if count and ids else []
        chosen = [ids.pop(position) for position in positions]
        if chosen:
            self.deletes += await transaction.delete(chosen)


class _Owed:
    """How many changes of each kind are due: a token bucket per kind, on the monotonic clock."""

    def __init__(self, pace: Pace) -> None:
        self._rates = (pace.updates_per_s, pace.deletes_per_s, pace.inserts_per_s)
        self._tokens = [0.0, 0.0, 0.0]
        self._since = self._last = time.monotonic()
        self._duration = pace.duration_s

    def over(self, now: float) -> bool:
        return self._duration is not None and now - self._since >= self._duration

    def take(self, now: float) -> tuple[int, int, int]:
        until = now if self._duration is None else min(now, self._since + self._duration)
        elapsed = min(max(0.0, until - self._last), _CATCH_UP_S)
        self._last = now
        taken = []
        for kind, rate in enumerate(self._rates):
            self._tokens[kind] += rate * elapsed
            whole = int(self._tokens[kind] + _ROUNDING)
            self._tokens[kind] -= whole
            taken.append(whole)
        return taken[0], taken[1], taken[2]
