"""The users that browse: users of the seeder, with a skewed activity."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

import httpx
import numpy as np
from numpy.typing import NDArray

from shared.errors import Conflict
from shared.http import call

_PAGE: Final = 10_000
_BLOCK: Final = 8192
#: distinct names; more users than this share them, as people do
_NAMES: Final = 2_000
_NAMES_SEED: Final = 20_250_101


class NoUsers(Conflict):
    type, title = "no-users", "There are no users"


class Population:
    """User ids with a Zipf popularity: the user of rank r browses in proportion to ``1 / r ** skew`` (0: all alike)."""

    def __init__(self, user_ids: NDArray[np.int64], *, skew: float, rng: np.random.Generator) -> None:
        self._rng = rng
        self._skew = skew
        self._ids = rng.permutation(user_ids)
        weights = np.arange(1, len(user_ids) + 1, dtype=np.float64) ** -skew
        self._cumulative = np.cumsum(weights) / weights.sum()

    def __len__(self) -> int:
        return len(self._ids)

    def renewed(self, user_ids: NDArray[np.int64]) -> Population:
        """Other users with the same skew. Remaining users keep their rank, new ones come last."""
        there = self._ids[np.isin(self._ids, user_ids)]
        ids = np.concatenate([there, np.setdiff1d(user_ids, there)])
        population = Population(ids, skew=self._skew, rng=self._rng)
        population._ids = ids
        return population

    def draws(self) -> Iterator[int]:
        """Endless user ids by popularity."""
        while True:
            ranks = np.searchsorted(self._cumulative, self._rng.random(_BLOCK), side="right")
            yield from self._ids[np.minimum(ranks, len(self._ids) - 1)].tolist()


async def fetch_user_ids(seeder: httpx.AsyncClient, limit: int | None = None) -> NDArray[np.int64]:
    """The ids of the first ``limit`` users (all, without one), page by page from the seeder.

    Raises:
        NoUsers: the table is empty.
        Unavailable: the seeder does not answer.
    """
    ids: list[int] = []
    after: int | None = 0
    while after is not None and (limit is None or len(ids) < limit):
        wanted = _PAGE if limit is None else min(_PAGE, limit - len(ids))
        response = await call(
            seeder, "GET", "/seeder/users", service="seeder", params={"limit": wanted, "after": after}
        )
        page = response.json()
        ids += [user["user_id"] for user in page["users"]]
        after = page["next"]
    if not ids:
        raise NoUsers(
            f"The seeder at {seeder.base_url} has no users. Seed first: POST {seeder.base_url}/seeder/seed "
            'with {"count": 1000, "seed": 42, "null_fraction": 0.05}.'
        )
    return np.array(ids, dtype=np.int64)


@cache
def user_names() -> tuple[str, ...]:
    """A pool of login names, the same in every run."""
    from faker import Faker  # noqa: PLC0415 - slow to import, and the service need not wait for it

    fake = Faker()
    fake.seed_instance(_NAMES_SEED)
    return tuple(fake.user_name() for _ in range(_NAMES))


def user_name(user_id: int) -> str:
    """The login name of a user: always the same one."""
    names = user_names()
    return names[user_id % len(names)]
