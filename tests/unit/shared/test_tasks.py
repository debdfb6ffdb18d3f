import asyncio

from shared.tasks import TaskSet


async def test_closing_cancels_and_awaits_every_task() -> None:
    ended = []

    async def work(name: str) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(name)

    async with TaskSet() as tasks:
        tasks.start(work("first"), "first")
        tasks.start(work("second"), "second")
        await asyncio.sleep(0)
    assert ended == ["second", "first"]
    assert len(tasks) == 0


async def test_a_failure_is_kept_under_its_name() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    async with TaskSet() as tasks:
        task = tasks.start(fail(), "reader")
        await asyncio.wait([task])
        assert isinstance(tasks.failures["reader"], ValueError)
