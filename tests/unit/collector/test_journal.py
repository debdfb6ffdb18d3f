from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.collector.journal import Journal, JournalBroken, JournalFull, Record
from shared.tasks import TaskSet

RECORDS: list[Record] = [("views", "s", '{"a":1}')]


@asynccontextmanager
async def journal(
    folder: Path,
    *,
    max_bytes: int = 1_000_000,
    segment_bytes: int = 1_000,
    keep_ms: int = 10_000,
    max_ids: int = 1_000_000,
    now: list[int] | None = None,
) -> AsyncIterator[Journal]:
    clock = now if now is not None else [1_000]
    opened = Journal(
        folder,
        max_bytes=max_bytes,
        segment_bytes=segment_bytes,
        keep_ms=keep_ms,
        max_ids=max_ids,
        clock_ms=lambda: clock[0],
    )
    opened.open()
    async with TaskSet() as tasks:
        tasks.start(opened.write(), "write")
        try:
            yield opened
        finally:
            opened.close()


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.log"))


async def test_what_was_flushed_is_there_after_a_restart_in_order(tmp_path: Path) -> None:
    async with journal(tmp_path) as one:
        for n in range(50):
            one.append(f"event-{n}", "visit-1", 1_000, RECORDS)
            await one.flushed()
        identity = one.id
    async with journal(tmp_path) as two:
        assert two.id == identity
        assert [entry.id for entry in two.read(0, 100)] == [f"event-{n}" for n in range(50)]
        assert two.next == 50
        assert two.contains("event-49")
        assert not two.contains("event-50")
        assert not two.is_new_session("visit-1", 1_000)
    assert len(segments(tmp_path)) > 3


async def test_reading_goes_on_where_it_ended_and_sees_later_entries(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:
        seen: list[int] = []
        for n in range(100):
            opened.append(f"event-{n}", "visit", 1_000, RECORDS)
            if n % 7 == 0:
                await opened.flushed()
                while entries := opened.read(len(seen), 5):
                    seen += [entry.number for entry in entries]
        await opened.flushed()
        while entries := opened.read(len(seen), 5):
            seen += [entry.number for entry in entries]
    assert seen == list(range(100))


@given(cut=st.integers(min_value=1, max_value=400))
@settings(max_examples=25)
def test_an_entry_that_was_cut_off_is_truncated_and_nothing_else(cut: int) -> None:
    async def check(folder: Path) -> None:
        async with journal(folder, segment_bytes=100_000) as one:
            for n in range(10):
                one.append(f"event-{n}", "visit", 1_000, RECORDS)
            await one.flushed()
        (file,) = segments(folder)
        whole = file.read_bytes()
        left = whole[: len(whole) - cut]
        file.write_bytes(left)
        survivors = left.count(b"\n")
        async with journal(folder, segment_bytes=100_000) as two:
            assert two.next == survivors < 10
            two.append("event-new", "visit", 1_000, RECORDS)
            await two.flushed()
            ids = [entry.id for entry in two.read(0, 100)]
            assert ids == [*(f"event-{n}" for n in range(survivors)), "event-new"]

    import tempfile  # noqa: PLC0415 - a folder per example

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(check(Path(folder)))


async def test_a_full_journal_refuses_and_takes_again_when_kafka_has_taken_some(tmp_path: Path) -> None:
    async with journal(tmp_path, max_bytes=3_000, segment_bytes=500) as opened:
        taken = 0
        with pytest.raises(JournalFull) as refused:
            while True:
                opened.append(f"event-{taken}", "visit", 1_000, RECORDS)
                await opened.flushed()
                taken += 1
        assert refused.value.extra["retry_after_s"] > 0
        assert not opened.contains(f"event-{taken}")
        opened.mark_published(taken)
        opened.append("event-late", "visit", 1_000, RECORDS)
        await opened.flushed()
        assert [entry.id for entry in opened.read(taken, 10)] == ["event-late"]


async def test_published_segments_stay_while_a_retry_may_come_then_go(tmp_path: Path) -> None:
    now = [1_000]
    async with journal(tmp_path, now=now) as opened:
        for n in range(50):
            opened.append(f"event-{n}", "visit", now[0], RECORDS)
            await opened.flushed()
        opened.mark_published(50)
        assert opened.contains("event-0")
        now[0] += 20_000
        opened.append("event-50", "visit", now[0], RECORDS)
        await opened.flushed()
        opened.mark_published(51)
        assert not opened.contains("event-0")
        assert len(segments(tmp_path)) <= 2


async def test_of_more_ids_than_memory_may_hold_the_oldest_are_forgotten_also_at_a_restart(tmp_path: Path) -> None:
    async with journal(tmp_path, max_ids=10) as opened:
        for n in range(25):
            opened.append(f"event-{n}", f"visit-{n}", 1_000, RECORDS)
        await opened.flushed()
        assert (opened.ids, opened.ids_dropped) == (10, 15)
        assert not opened.contains("event-14")
        assert opened.contains("event-15")
        assert opened.is_new_session("visit-14", 1_000)
        assert not opened.is_new_session("visit-15", 1_000)
        assert len(opened.read(0, 100)) == 25
    async with journal(tmp_path, max_ids=10) as opened:
        assert opened.ids == 10
        assert opened.contains("event-15")
        assert opened.next == 25


async def test_a_session_is_new_again_after_its_pause(tmp_path: Path) -> None:
    now = [1_000]
    async with journal(tmp_path, now=now) as opened:
        assert opened.is_new_session("visit", now[0])
        opened.append("event-1", "visit", now[0], RECORDS)
        assert not opened.is_new_session("visit", now[0])
        now[0] += 10_001
        assert opened.is_new_session("visit", now[0])


async def test_a_disk_that_refuses_is_said_and_a_retry_is_taken_as_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with journal(tmp_path) as opened:
        opened.append("event-0", "visit", 1_000, RECORDS)
        await opened.flushed()

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr("services.collector.journal.os.fsync", full)
            opened.append("event-1", "other", 1_000, RECORDS)
            with pytest.raises(JournalBroken, match="No space left"):
                await opened.flushed()
        assert not opened.contains("event-1")
        assert opened.is_new_session("other", 1_000)
        opened.append("event-1", "other", 1_000, RECORDS)
        await opened.flushed()
        assert [entry.id for entry in opened.read(0, 10)] == ["event-0", "event-1"]


async def test_many_senders_share_one_write(tmp_path: Path) -> None:
    async with journal(tmp_path) as opened:

        async def send(n: int) -> None:
            opened.append(f"event-{n}", f"visit-{n}", 1_000, RECORDS)
            await opened.flushed()

        await asyncio.gather(*(send(n) for n in range(500)))
        assert opened.durable == 500


async def test_forgotten_users_survive_a_restart(tmp_path: Path) -> None:
    async with journal(tmp_path) as one:
        await one.forget({7})
        await one.forget({9})
    async with journal(tmp_path) as two:
        assert two.forgotten == {7, 9}


async def test_recent_entries_come_from_memory_and_older_ones_from_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.collector.journal._RECENT_BYTES", 2_000)
    async with journal(tmp_path) as opened:
        for n in range(100):
            opened.append(f"event-{n}", "visit", 1_000, RECORDS)
            if n % 7 == 0:
                await opened.flushed()
        await opened.flushed()
        held = len(opened._recent)
        read = [await opened.entries(start, 9) for start in range(0, 100, 9)]
        opened.mark_published(95)

        assert 0 < held < 50
        assert [entry.number for entries in read for entry in entries] == list(range(100))
        assert [entry.number for entry in await opened.entries(95, 100)] == [95, 96, 97, 98, 99]
        assert len(opened._recent) == 5


async def test_its_size_is_that_of_its_files_after_writing_trimming_and_a_restart(tmp_path: Path) -> None:
    now = [1_000]

    def on_disk() -> int:
        return sum(path.stat().st_size for path in segments(tmp_path))

    async with journal(tmp_path, now=now) as one:
        for n in range(60):
            one.append(f"event-{n}", "visit", now[0], RECORDS)
            await one.flushed()
        before = one.size
        assert before == on_disk()
        now[0] += 20_000
        one.mark_published(40)
        assert one.size == on_disk() < before
    async with journal(tmp_path, now=now) as two:
        assert two.size == on_disk()
