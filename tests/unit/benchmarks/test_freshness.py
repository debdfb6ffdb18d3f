"""How old events are when they become visible."""

from __future__ import annotations

import math

import pytest

from benchmarks.freshness import Freshness


def test_every_event_between_two_answers_counts() -> None:
    one = Freshness("pageview_tumbling")
    one.note(1_000, now=1.5)
    one.note(1_000, now=1.6)
    one.note(2_000, now=2.5)
    ages = [age for _, age in one.samples]
    assert len(ages) == 100
    assert min(ages) == 500
    assert max(ages) == pytest.approx(1_490)
    assert one.percentile(0.5) == pytest.approx(1_000, abs=10)


def test_the_first_answer_says_nothing_and_no_sample_is_no_number() -> None:
    one = Freshness("pageview_tumbling")
    one.note(1_000, now=900.0)
    assert math.isnan(one.percentile(0.5))


def test_only_samples_since_a_moment() -> None:
    one = Freshness("pageview_tumbling")
    for newest, now in ((1_000, 1.1), (2_000, 2.1), (3_000, 4.0)):
        one.note(newest, now)
    assert one.percentile(0.0, since=3.0) == pytest.approx(1_000)
