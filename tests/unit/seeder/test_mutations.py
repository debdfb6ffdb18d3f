from __future__ import annotations

from services.seeder.jobs import JobKind, WriteJob
from services.seeder.mutations import Mutations, Pace, _Owed
from services.seeder.people import People
from tests.unit.seeder.fakes import MemoryStore


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
