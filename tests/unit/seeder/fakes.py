"""A users table in memory, with the methods of the seeder's store."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from services.seeder.people import Person
from services.seeder.settings import Settings
from services.seeder.store import Store
from shared.errors import Unavailable

FIELDS = ("age", "gender", "country", "subscription")
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class MemoryStore(Store):
    """Transactions are real: a block that fails leaves ``rows`` as they were. ``gate`` closed holds every insert."""

    def __init__(self) -> None:
        super().__init__(Settings())
        self.rows: dict[int, Person] = {}
        self.next_id = 1
        self.unavailable = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def warm_up(self) -> None:
        return None

    async def aclose(self) -> None:
        return None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[MemoryTransaction]:  # type: ignore[override]
        self._look()
        before = dict(self.rows)
        try:
            yield MemoryTransaction(self)
        except BaseException:
            self.rows = before
            raise

    async def user_ids(self) -> list[int]:
        return list(self.rows)

    async def fetch_all(self, name: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        self._look()
        if name == "ping":
            return [{"ok": 1}]
        if name == "status":
            nulls = sum(None in person for person in self.rows.values())
            return [{"users": len(self.rows), "with_nulls": nulls, "newest_update": MOMENT if self.rows else None}]
        chosen = self._chosen(parameters or {})
        if name == "page":
            assert parameters is not None
            behind = (user for user in chosen if user["user_id"] > parameters["after"])
            return list(islice(behind, parameters["limit"]))
        if name == "page_total":
            return [{"users": sum(1 for _ in chosen)}]
        users = list(chosen)
        if name == "stats_totals":
            ages = [u["age"] for u in users if u["age"] is not None]
            nulls_by = {f"null_{f}": sum(u[f] is None for u in users) for f in FIELDS}
            mean = sum(ages) / len(ages) if ages else None
            return [
                {
                    "users": len(users),
                    "with_nulls": sum(None in u.values() for u in users),
                    **nulls_by,
                    "min_age": min(ages, default=None),
                    "max_age": max(ages, default=None),
                    "mean_age": mean,
                }
            ]
        if name.startswith("stats_by_"):
            column = name.removeprefix("stats_by_")
            counts = Counter(u[column] for u in users)
            known = {v: [u["age"] for u in users if u[column] == v and u["age"] is not None] for v in counts}
            means = {v: sum(ages) / len(ages) if ages else None for v, ages in known.items()}
            return [
                {"name": value, "users": count, "average_age": means[value]}
                for value, count in counts.most_common()
                if value is not None
            ]
        raise AssertionError(name)

    def _chosen(self, parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """One by one: ``rows`` are in the order of their ids, as users are only ever added behind the others."""
        wanted = {field: parameters[field] for field in FIELDS if parameters.get(field) is not None}
        complete = parameters.get("complete")
        for user_id, person in self.rows.items():
            user = dict(zip(FIELDS, person, strict=True))
            if complete is not None and (None not in user.values()) != complete:
                continue
            if all(user[field] == value for field, value in wanted.items()):
                yield {"user_id": user_id, **user, "updated_at": MOMENT}

    def _look(self) -> None:
        if self.unavailable:
            raise Unavailable("The database cannot be used", service="mysql")


class MemoryTransaction:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def count(self) -> int:
        return len(self._store.rows)

    async def insert(self, people: Sequence[Person], *, first_id: int | None = None) -> int:
        await self._store.gate.wait()
        start = self._store.next_id if first_id is None else first_id
        self._store.rows |= {start + i: person for i, person in enumerate(people)}
        self._store.next_id = max(self._store.next_id, start + len(people))
        return len(people)

    async def insert_one(self, person: Person) -> int:
        await self.insert([person])
        return self._store.next_id - 1

    async def update(self, user_ids: Sequence[int], people: Sequence[Person]) -> int:
        self._store.rows |= dict(zip(user_ids, people, strict=True))
        return len(user_ids)

    async def delete(self, user_ids: Sequence[int]) -> int:
        return sum(self._store.rows.pop(user_id, None) is not None for user_id in user_ids)

    async def delete_chunk(self, limit: int) -> int:
        gone = list(self._store.rows)[:limit]
        return await self.delete(gone)
