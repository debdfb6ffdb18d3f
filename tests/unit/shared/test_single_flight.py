from __future__ import annotations

import asyncio

import pytest

from shared.single_flight import SingleFlight


async def test_who_asks_meanwhile_shares_the_next_answer() -> None:
    made: list[int] = []
    go = asyncio.Semaphore(0)

    async def make() -> int:
        made.append(len(made))
        await go.acquire()
        return len(made)

    shared = SingleFlight(make)
    first = [asyncio.create_task(shared.get()) for _ in range(3)]
    while not made:
        await asyncio.sleep(0)
    later = [asyncio.create_task(shared.get()) for _ in range(50)]
    await asyncio.sleep(0)
    assert made == [0]
    go.release()
    assert [await task for task in first] == [1, 1, 1]
    go.release()
    assert {await task for task in later} == {2}
    assert made == [0, 1]


async def test_an_answer_that_is_young_enough_is_given_again_until_its_matter_changes() -> None:
    made: list[int] = []

    async def make() -> int:
        made.append(len(made))
        return len(made)

    shared = SingleFlight(make, max_age=3600)
    assert [await shared.get() for _ in range(3)] == [1, 1, 1]
    shared.forget()
    assert [await shared.get() for _ in range(3)] == [2, 2, 2]


async def test_where_age_is_allowed_callers_share_the_answer_in_progress() -> None:
    go = asyncio.Event()
    made: list[int] = []

    async def make() -> int:
        made.append(len(made))
        await go.wait()
        return len(made)

    shared = SingleFlight(make, max_age=1e-9)
    first = asyncio.create_task(shared.get())
    while not made:
        await asyncio.sleep(0)
    second = asyncio.create_task(shared.get())
    await asyncio.sleep(0)
    go.set()
    assert (await first, await second) == (1, 1)
    assert await shared.get() == 2


async def test_what_was_begun_before_a_change_is_not_given_after_it() -> None:
    go = asyncio.Semaphore(0)
    made: list[int] = []

    async def make() -> int:
        made.append(len(made))
        await go.acquire()
        return len(made)

    shared = SingleFlight(make, max_age=3600)
    before = asyncio.create_task(shared.get())
    while not made:
        await asyncio.sleep(0)
    shared.forget()
    after = asyncio.create_task(shared.get())
    await asyncio.sleep(0)
    go.release()
    go.release()
    assert (await before, await after) == (1, 2)


async def test_closing_ends_what_is_being_made() -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def make() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    shared = SingleFlight(make)
    caller = asyncio.create_task(shared.get())
    await started.wait()
    await shared.aclose()
    assert ended.is_set()
    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_a_failure_is_everybodys_and_passes() -> None:
    answers: list[Exception | int] = [ValueError("unavailable"), 7]

    async def make() -> int:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    shared = SingleFlight(make)
    for failed in await asyncio.gather(shared.get(), shared.get(), return_exceptions=True):
        assert isinstance(failed, ValueError)
    assert await shared.get() == 7


async def test_one_that_gives_up_leaves_the_others_their_answer() -> None:
    go = asyncio.Event()

    async def make() -> str:
        await go.wait()
        return "done"

    shared = SingleFlight(make)
    impatient, patient = asyncio.create_task(shared.get()), asyncio.create_task(shared.get())
    await asyncio.sleep(0)
    impatient.cancel()
    go.set()
    assert await patient == "done"
    with pytest.raises(asyncio.CancelledError):
        await impatient
