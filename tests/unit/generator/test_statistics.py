from __future__ import annotations

import pytest

from services.generator.statistics import RateMeter, Statistics


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_meter_looks_back_only_as_far_as_asked() -> None:
    meter = RateMeter(0.0)
    for tenth in range(1, 201):
        meter.add(10 if tenth <= 190 else 100, tenth / 10)

    assert meter.rate(1.0, 20.0) == pytest.approx(1_000)
    assert meter.rate(10.0, 20.0) == pytest.approx(190, rel=0.02)


def test_a_young_meter_divides_by_its_age() -> None:
    meter = RateMeter(0.0)
    meter.add(50, 0.4)

    assert meter.rate(10.0, 0.5) == pytest.approx(100)
    assert RateMeter(5.0).rate(1.0, 5.0) == 0.0


def test_counts_add_up_and_end_with_the_run() -> None:
    clock = Clock()
    statistics = Statistics(clock)
    statistics.sent = 10
    clock.now = 102.0
    statistics.acknowledge("t", 6, 101.95)
    statistics.fail("MessageSizeTooLargeError", 1)

    assert statistics.in_flight == 3
    assert statistics.rate(1.0) == pytest.approx(6)
    assert statistics.overall_rate() == pytest.approx(3)
    assert statistics.percentiles().p99 == pytest.approx(50, abs=0.1)
    statistics.end()
    clock.now = 200.0
    assert statistics.uptime_s == pytest.approx(2.0)
    assert statistics.rate(1.0) == 0.0
