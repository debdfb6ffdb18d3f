from __future__ import annotations

from threading import Thread

from services.dashboard.stale_cache import CachedResult, StaleCache
from shared.errors import Unavailable


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def unavailable() -> int:
    raise Unavailable("Pinot cannot be reached.")


def test_a_good_answer_is_fresh() -> None:
    clock = Clock()
    assert StaleCache(clock=clock).read("k", lambda: 7) == CachedResult(value=7, taken_at=1000.0)


def test_a_failure_keeps_the_last_answer_and_says_since_when() -> None:
    clock = Clock()
    cache = StaleCache(clock=clock)
    cache.read("k", lambda: 7)
    clock.now = 1015.0
    first = cache.read("k", unavailable)
    clock.now = 1030.0
    second = cache.read("k", unavailable)
    for reading in (first, second):
        assert reading.value == 7
        assert reading.stale
        assert reading.stale_since == 1000.0
        assert reading.error is not None
        assert reading.error.detail == "Pinot cannot be reached."


def test_it_is_fresh_again_after_a_good_answer() -> None:
    cache = StaleCache()
    cache.read("k", lambda: 7)
    cache.read("k", unavailable)
    assert cache.read("k", lambda: 8).value == 8
    assert not cache.read("k", lambda: 8).stale


def test_without_any_good_answer_there_is_no_value_but_a_time() -> None:
    clock = Clock()
    reading: CachedResult[int] = StaleCache(clock=clock).read("k", unavailable)
    assert reading.value is None
    assert reading.stale_since == 1000.0


def test_viewers_share_an_answer_for_a_moment() -> None:
    clock = Clock()
    cache = StaleCache(share_for=1.0, clock=clock)
    asked: list[float] = []

    def load() -> int:
        asked.append(clock.now)
        return len(asked)

    assert cache.read("k", load).value == 1
    clock.now += 0.9
    assert cache.read("k", load).value == 1
    clock.now += 0.2
    assert cache.read("k", load).value == 2
    cache.forget("k")
    assert cache.read("k", load).value == 3
    assert cache.read("other", load).value == 4


def test_failures_are_shared_too() -> None:
    clock = Clock()
    cache = StaleCache(share_for=1.0, clock=clock)
    cache.read("k", unavailable)
    assert cache.read("k", lambda: 1).value is None
    clock.now += 1.0
    assert cache.read("k", lambda: 1).value == 1


def test_it_is_bounded() -> None:
    cache = StaleCache(share_for=1e9)
    cache.read("first", lambda: 1)
    for number in range(200):
        cache.read(number, lambda: 0)
    assert cache.read("first", lambda: 2).value == 2


def test_threads_that_ask_at_once_ask_once() -> None:
    cache = StaleCache(share_for=10.0)
    asked: list[int] = []

    def load() -> int:
        asked.append(1)
        return len(asked)

    threads = [Thread(target=cache.read, args=("k", load)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == [1]


def test_a_reading_of_something_else_is_as_fresh() -> None:
    error = Unavailable("unavailable")
    reading = CachedResult(value=[1, 2], taken_at=5.0, stale_since=6.0, error=error)
    assert reading.map(len) == CachedResult(value=2, taken_at=5.0, stale_since=6.0, error=error)
    nothing: CachedResult[list[int]] = CachedResult()
    assert nothing.map(len).value is None
