from __future__ import annotations

import sys
from collections import Counter

import pycountry
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.seeder.people import GENDERS, MAX_AGE, MIN_AGE, TIERS, People, countries


def test_the_same_seed_gives_the_same_people() -> None:
    assert People(42).draw(500, null_fraction=0.1) == People(42).draw(500, null_fraction=0.1)
    assert People(42).draw(500) != People(43).draw(500)


@given(st.integers(0, 2**32), st.integers(0, 300), st.floats(0, 1))
@settings(max_examples=60)
def test_every_person_is_plausible(seed: int, count: int, null_fraction: float) -> None:
    names = set(countries().names)

    people = People(seed).draw(count, null_fraction=null_fraction)

    assert len(people) == count
    for age, gender, country, subscription in people:
        assert age is None or (type(age) is int and MIN_AGE <= age <= MAX_AGE)
        assert gender is None or gender in GENDERS
        assert country is None or country in names
        assert subscription is None or subscription in TIERS


def test_shares_are_those_of_the_tables() -> None:
    people = People(1).draw(40_000)
    tiers, where = Counter(p[3] for p in people), Counter(p[2] for p in people)

    for tier, share in TIERS.items():
        assert tiers[tier] / len(people) == pytest.approx(share, abs=0.01)
    for name, share in zip(countries().names, countries().shares, strict=True):
        assert where[name] / len(people) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("null_fraction", [0.0, 0.05, 0.5, 1.0])
def test_the_asked_share_of_people_lacks_something(null_fraction: float) -> None:
    people = People(3).draw(20_000, null_fraction=null_fraction)

    assert sum(None in person for person in people) / len(people) == pytest.approx(null_fraction, abs=0.01)


def test_average_ages_differ_by_country() -> None:
    people = People(5).draw(60_000)
    ages: dict[str | None, list[int]] = {}
    for age, _, country, _ in people:
        ages.setdefault(country, []).append(age or 0)
    mean = {country: sum(a) / len(a) for country, a in ages.items()}

    assert mean["Japan"] - mean["Nigeria"] > 10


def test_the_countries_are_real() -> None:
    for name in countries().names:
        assert pycountry.countries.lookup(name), name


def test_choices_are_different_and_below_the_total() -> None:
    people = People(1)

    chosen = people.choose(50, 20)
    assert len(set(chosen)) == 20
    assert max(chosen) < 50
    assert sorted(people.choose(3, 10)) == [0, 1, 2]
    assert people.choose(0, 5) == []


def test_the_calls_do_not_grow_with_the_number_of_people() -> None:
    """Columns are drawn whole: that is why a hundred thousand people take a tenth of a second."""

    def calls(count: int) -> int:
        made = 0

        def note(_frame: object, event: str, _argument: object) -> None:
            nonlocal made
            made += event in ("call", "c_call")

        people, before = People(1), sys.getprofile()
        sys.setprofile(note)
        try:
            people.draw(count, null_fraction=0.05)
        finally:
            sys.setprofile(before)
        return made

    calls(10)  # what is imported or made at first
    assert calls(10_000) < 1_000
