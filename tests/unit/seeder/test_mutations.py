from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from services.seeder import mutations as module
from services.seeder.jobs import JobKind, WriteJob
from services.seeder.mutations import Mutations, Pace, _Owed
from services.seeder.people import People
from tests.unit.seeder.fakes import MemoryStore, MemoryTransaction


async def test_the_table_changes_as_asked() -> None:
    store = MemoryStore()
    store.rows = {i + 1: person for i, person in enumerate(People(1).draw(200))}
    store.next_id = 201
    before = dict(store.rows)
    mutations = Mutations(Pace(updates_per_s=200, deletes_per_s=100, inserts_per_s=50, duration_s=0.5), seed=1)
    job = WriteJob(kind=JobKind.MUTATIONS)

    await mutations.run(job, store)

    assert (mutations.updates, mutations.deletes, mutations.inserts) == (100, 50, 25)
    assert job.done == 175
    assert len(store.rows) == 200 - 50 + 25
    assert len([i for i in store.rows if i > 200]) + len([i for i in before if i not in store.rows]) > 50
    assert any(store.rows[i] != person for i, person in before.items() if i in store.rows)


async def test_what_is_owed_at_the_end_is_made_though_a_transaction_outlasts_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = 0.0

    def passing() -> float:
        nonlocal clock
        clock += 0.1
        return clock

    class SlowStore(MemoryStore):
        @asynccontextmanager
        async def transaction(self) -> AsyncIterator[MemoryTransaction]:  # type: ignore[override]
            nonlocal clock
            async with super().transaction() as transaction:
                yield transaction
            clock += 0.95

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=passing))
    monkeypatch.setattr(module, "_TICK_S", 0.0)
    mutations = Mutations(Pace(inserts_per_s=100, duration_s=1), seed=1)

    await mutations.run(WriteJob(kind=JobKind.MUTATIONS), SlowStore())

    assert mutations.inserts == 100


async def test_an_empty_table_only_grows() -> None:
    store = MemoryStore()
    mutations = Mutations(Pace(updates_per_s=100, deletes_per_s=0, inserts_per_s=100, duration_s=0.2), seed=1)

    await mutations.run(WriteJob(kind=JobKind.MUTATIONS), store)

    assert len(store.rows) == mutations.inserts == 20


def test_what_is_owed_adds_up_whatever_the_ticks() -> None:
    owed = _Owed(Pace(updates_per_s=3.7, duration_s=10))
    start = owed._since
    total = sum(owed.take(start + tick * 0.13)[0] for tick in range(1, 100))

    assert 36 <= total <= 37
    assert owed.over(start + 10)
