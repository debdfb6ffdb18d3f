"""Makes users. Every column is drawn for many users at once with numpy: 100,000 take about a tenth of a second.

Ages follow the median of the user's country, so that an average age by country has something to show.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: age, gender, country, subscription: the order of the INSERT statements
Person = tuple[int | None, str | None, str | None, str | None]

MIN_AGE: Final = 18
MAX_AGE: Final = 80
#: standard deviation of ages around a country's median, years
AGE_SPREAD: Final = 12.0
GENDERS: Final = {"Female": 0.49, "Male": 0.49, "Non-binary": 0.02}
#: most people do not pay; each better tier is rarer
TIERS: Final = {"Platinum": 0.05, "Gold": 0.15, "Silver": 0.30, "Standard": 0.50}
_COLUMNS: Final = 4
#: share of the incomplete users that lack a second field too
_TWO_NULLS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Countries:
    """The countries of ``data/countries.toml`` as parallel arrays; ``shares`` add up to 1."""

    names: NDArray[np.object_]
    shares: NDArray[np.float64]
    median_ages: NDArray[np.float64]


@cache
def countries() -> Countries:
    """Reads the data file, once."""
    text = files(__package__).joinpath("data/countries.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)["countries"]
    weights = np.array([row["weight"] for row in rows], dtype=np.float64)
    return Countries(
        names=np.array([row["name"] for row in rows], dtype=object),
        shares=weights / weights.sum(),
        median_ages=np.array([row["median_age"] for row in rows], dtype=np.float64),
    )


class People:
    """An endless crowd; the same ``seed`` gives the same people in the same order of calls."""

    def __init__(self, seed: int | None = None) -> None:
        self._rng = np.random.default_rng(seed)
        self._countries = countries()

    def draw(self, count: int, *, null_fraction: float = 0.0) -> list[Person]:
        """``count`` people, of whom about ``null_fraction`` lack one or two fields."""
        rng, where = self._rng, self._countries
        country = rng.choice(len(where.names), size=count, p=where.shares)
        raw_ages = rng.normal(where.median_ages[country], AGE_SPREAD).round()
        columns: list[NDArray[np.object_]] = [
            np.clip(raw_ages, MIN_AGE, MAX_AGE).astype(np.int64).astype(object),
            self._pick(GENDERS, count),
            where.names[country],
            self._pick(TIERS, count),
        ]
        self._punch_holes(columns, count, null_fraction)
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def choose(self, total: int, count: int) -> list[int]:
        """``count`` different positions below ``total``, at random (fewer if there are fewer)."""
        return [int(i) for i in self._rng.choice(total, size=min(count, total), replace=False)]

    def _pick(self, shares: dict[str, float], count: int) -> NDArray[np.object_]:
        names = np.array(list(shares), dtype=object)
        picked: NDArray[np.object_] = names[self._rng.choice(len(names), size=count, p=list(shares.values()))]
        return picked

    def _punch_holes(self, columns: list[NDArray[np.object_]], count: int, null_fraction: float) -> None:
        incomplete = self._rng.random(count) < null_fraction
        first = self._rng.integers(_COLUMNS, size=count)
        second = np.where(self._rng.random(count) < _TWO_NULLS, self._rng.integers(_COLUMNS, size=count), first)
        for position, column in enumerate(columns):
            column[incomplete & ((first == position) | (second == position))] = None
