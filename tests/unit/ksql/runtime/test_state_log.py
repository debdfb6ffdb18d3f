"""The positions of queries in the changelog."""

from __future__ import annotations

from services.ksql.engine.records import OutputRecord
from services.ksql.runtime.broker import TopicPartition
from services.ksql.runtime.state_log import StateLog
from tests.unit.ksql.memory_broker import MemoryBroker

_POSITIONS = {TopicPartition("a/b", 0): 7, TopicPartition("a/b", 2): 0, TopicPartition("c", 1): 1 << 40}


async def log() -> StateLog:
    made = StateLog(MemoryBroker(), "state")
    await made.ensure()
    return made


async def write(state_log: StateLog, entries: list[OutputRecord]) -> None:
    for entry in entries:
        await state_log._broker.send(entry)


async def test_positions_come_back() -> None:
    state_log = await log()
    await write(state_log, list(state_log.positions("Q", _POSITIONS)))
    assert (await state_log.load())["Q"].offsets == _POSITIONS


async def test_positions_that_did_not_move_are_not_written_again() -> None:
    state_log = await log()
    assert len(list(state_log.positions("Q", _POSITIONS))) == 2
    moved = {**_POSITIONS, TopicPartition("c", 1): (1 << 40) + 1}
    assert len(list(state_log.positions("Q", moved))) == 1
    assert list(state_log.positions("Q", moved)) == []
    # a transaction that failed is followed by a load: what was in it must be written again
    await state_log.load()
    assert len(list(state_log.positions("Q", moved))) == 2


async def test_positions_of_earlier_versions_are_read_and_replaced() -> None:
    state_log = await log()
    old = [
        state_log.entry("Q", "@offsets", f"{tp.topic}/{tp.partition}".encode(), offset.to_bytes(8, "big"))
        for tp, offset in _POSITIONS.items()
    ]
    await write(state_log, old)
    found = (await state_log.load())["Q"]
    assert found.offsets == _POSITIONS
    await write(state_log, list(state_log.renewed("Q", found)))
    moved = {**_POSITIONS, TopicPartition("c", 1): 3}
    await write(state_log, list(state_log.positions("Q", moved)))
    again = (await state_log.load())["Q"]
    assert again.offsets == moved
    assert not again.outdated
    assert list(state_log.renewed("Q", again)) == []


async def test_nothing_is_left_of_a_query_that_is_forgotten() -> None:
    state_log = await log()
    await write(state_log, list(state_log.positions("Q", _POSITIONS)))
    await write(state_log, [state_log.entry("Q", "@offsets", b"d/0", b"\0" * 8), state_log.entry("Q", "s", b"k", b"1")])
    await write(state_log, list(state_log.tombstones("Q", (await state_log.load())["Q"])))
    assert await state_log.load() == {}
