"""The seed and delete jobs. Each is one transaction: readers see the table as it was, or as it shall be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.seeder.jobs import WriteJob
from services.seeder.people import People
from services.seeder.store import Store, Transaction

#: what happens to the users of the table: ``replace`` removes them first
Mode = Literal["replace", "append"]


@dataclass(frozen=True, slots=True)
class Seeding:
    """What to make. In ``replace`` mode ids start at 1, so the same seed gives the same table, ids included."""

    count: int
    seed: int | None
    null_fraction: float
    mode: Mode
    chunk: int

    async def run(self, job: WriteJob, store: Store) -> None:
        """Writes the users in chunks; a cancel or a failure leaves the table as it was."""
        people = People(self.seed)
        async with store.transaction() as transaction:
            if self.mode == "replace":
                await _clear(job, transaction, self.chunk)
            for start in range(0, self.count, self.chunk):
                await job.checkpoint()
                batch = people.draw(min(self.chunk, self.count - start), null_fraction=self.null_fraction)
                first_id = start + 1 if self.mode == "replace" else None
                job.done += await transaction.insert(batch, first_id=first_id)


async def delete_everyone(job: WriteJob, store: Store, chunk: int) -> None:
    """Deletes row by row, so that change capture turns each into a tombstone."""
    async with store.transaction() as transaction:
        job.total = await transaction.count()
        job.done = await _clear(job, transaction, chunk)


async def _clear(job: WriteJob, transaction: Transaction, chunk: int) -> int:
    deleted = 0
    while touched := await transaction.delete_chunk(chunk):
        deleted += touched
        await job.checkpoint()
    return deleted
