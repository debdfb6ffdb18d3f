from __future__ import annotations

from itertools import repeat
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.generator.pacing import MAX_LAG_S, STEP_S, Timetable, TokenBucket
from services.generator.profiles import Poisson, Ramp, Sine


def drive(bucket: TokenBucket, until: float, tick: float, *, now: float = 0.0) -> list[float]:
    """The times that the bucket gives when it is polled every ``tick`` seconds."""
    taken: list[float] = []
    while now < until:
        now = min(now + tick, until)
        while times := bucket.take(now + 1e-9, 2_000):
            taken += times
    return taken


@pytest.mark.parametrize("rate", [0.5, 1.0, 10.0, 333.3, 1_000.0, 20_000.0, 50_000.0])
def test_ten_seconds_hold_ten_times_the_rate(rate: float) -> None:
    taken = drive(TokenBucket(lambda _: rate, 0.0), 10.0, 0.0071)

    assert abs(len(taken) - 10 * rate) <= 1 + rate * STEP_S
    assert taken == sorted(taken)


def test_no_drift_over_an_hour() -> None:
    taken = drive(TokenBucket(lambda _: 97.0, 0.0), 3_600.0, 0.05)

    assert abs(len(taken) - 3_600 * 97) <= 1
    assert taken[-1] == pytest.approx(3_600.0, abs=0.02)


@given(st.lists(st.floats(0.001, 0.5), min_size=5, max_size=40))
@settings(max_examples=50)
def test_due_times_do_not_depend_on_when_someone_asks(ticks: list[float]) -> None:
    asked, steady = TokenBucket(lambda _: 130.0, 0.0), TokenBucket(lambda _: 130.0, 0.0)
    now, taken = 0.0, []
    for tick in ticks:
        now += tick
        taken += list(asked.take(now, 10_000))

    assert taken == drive(steady, now, 0.003)[: len(taken)]
    assert len(taken) >= 130 * (now - STEP_S) - 1


def test_a_new_rate_holds_at_once() -> None:
    rate = 100.0
    bucket = TokenBucket(lambda _: rate, 0.0)
    drive(bucket, 1.0, 0.01)
    rate = 1_000.0

    assert len(drive(bucket, 2.0, 0.01, now=1.0)) == pytest.approx(1_000, abs=6)


def test_a_long_stall_is_not_made_up_by_a_burst() -> None:
    bucket = TokenBucket(lambda _: 1_000.0, 0.0)

    taken = drive(bucket, 60.0, 60.0)

    assert len(taken) == pytest.approx(MAX_LAG_S * 1_000, abs=10)
    assert bucket.slipped_s == pytest.approx(60.0 - MAX_LAG_S)


def test_a_short_stall_is_made_up() -> None:
    bucket = TokenBucket(lambda _: 1_000.0, 0.0)
    drive(bucket, 1.0, 0.01)

    assert len(drive(bucket, 2.5, 1.5, now=1.0)) == pytest.approx(1_500, abs=6)


def test_a_pause_leaves_no_debt() -> None:
    bucket = TokenBucket(lambda _: 100.0, 0.0)
    drive(bucket, 1.0, 0.01)
    bucket.resume(100.0)

    assert len(drive(bucket, 101.0, 0.01, now=100.0)) == pytest.approx(100, abs=2)


def test_a_ramp_from_nothing_gives_the_area_under_it() -> None:
    ramp = Ramp(kind="ramp", to_rate=200.0, over_s=10.0)
    bucket = TokenBucket(lambda t: ramp.rate_at(t, 0.0), 0.0)

    assert len(drive(bucket, 10.0, 0.01)) == pytest.approx(1_000, abs=2)


def test_a_whole_day_of_the_sine_averages_the_rate() -> None:
    sine = Sine(kind="sine", period_s=20.0, amplitude=1.0)
    bucket = TokenBucket(lambda t: sine.rate_at(t, 50.0), 0.0)

    assert len(drive(bucket, 20.0, 0.01)) == pytest.approx(1_000, abs=2)


def test_poisson_gaps_are_irregular_and_right_on_average() -> None:
    bucket = TokenBucket(lambda _: 500.0, 0.0, Poisson(kind="poisson").gaps(np.random.default_rng(3)))

    taken = drive(bucket, 60.0, 0.01)
    gaps = np.diff(taken)

    assert len(taken) == pytest.approx(30_000, rel=0.03)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)


def test_waits_are_short_enough_to_be_exact_and_long_enough_to_be_idle() -> None:
    bucket = TokenBucket(lambda _: 2.0, 0.0)

    assert bucket.wait_s(0.0) == pytest.approx(0.1)
    bucket.take(0.45, 10)
    assert 0.04 < bucket.wait_s(0.45) <= 0.06


def test_full_speed_gives_what_is_asked_for_and_then_paces_again() -> None:
    rate = inf
    bucket = TokenBucket(lambda _: rate, 0.0)
    fast = [*bucket.take(0.0, 2_000), *bucket.take(0.001, 2_000)]
    assert len(fast) == 4_000
    assert fast == sorted(fast)

    rate = 100.0
    bucket.resume(5.0)
    paced = drive(bucket, 6.0, 0.01, now=5.0)
    assert len(paced) == pytest.approx(100, abs=2)
    assert paced[0] >= fast[-1] - STEP_S


def test_a_timetable_scales_loops_and_ends() -> None:
    once = Timetable([0.0, 1.0, 3.0], 10.0, speed=2.0)
    assert list(once.take(10.5, 10)) == [0.0, 1.0]
    assert once.wait_s(10.5) == pytest.approx(0.1)
    assert list(once.take(11.5, 10)) == [3.0]
    assert once.exhausted

    again = Timetable([0.0, 1.0], 0.0, loop=True)
    assert list(again.take(3.0, 10)) == [0.0, 1.0, 2.0, 3.0]
    assert not again.exhausted


def test_costs_may_be_given() -> None:
    bucket = TokenBucket(lambda _: 100.0, 0.0, repeat(2.0))

    assert len(drive(bucket, 10.0, 0.01)) == pytest.approx(500, abs=1)
