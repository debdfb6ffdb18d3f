"""``record``: the events that arrive in topics for a while, into a file that the generator replays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from deploy.local.errors import RecordingFailed
from shared.aiokafka_internals import all_metadata
from shared.errors import PagePulseError
from shared.json import dumps
from shared.kafka import open_consumer
from shared.recording import event_of, packed

POLL_MS = 500
CALL_SECONDS = 30.0
_PER_WRITE = 2_000
"""Events of one compressed member."""


@dataclass(slots=True)
class Recorded:
    """Events written, and records that are no events of the contract, which a replay would refuse."""

    events: int = 0
    skipped: int = 0


async def arriving(
    bootstrap: str, topics: Sequence[str], seconds: float, begun: Callable[[], None]
) -> AsyncGenerator[Sequence[bytes | None], None]:
    """The values of committed records that arrive from now on for ``seconds``, in batches; ``begun`` is called when it reads.

    Raises:
        RecordingFailed: no broker answers, or a topic does not exist.
    """
    try:
        async with asyncio.timeout(CALL_SECONDS):
            consumer = await open_consumer(bootstrap)
        try:
            known = await all_metadata(consumer)
            if missing := [topic for topic in topics if not known.partitions_for_topic(topic)]:
                raise RecordingFailed(f"there is no topic {', '.join(missing)}", hint="pagepulse sample")
            partitions = [TopicPartition(topic, p) for topic in topics for p in known.partitions_for_topic(topic)]
            consumer.assign(partitions)
            async with asyncio.timeout(CALL_SECONDS):
                for partition, end in (await consumer.end_offsets(partitions)).items():
                    consumer.seek(partition, end)
            begun()
            loop = asyncio.get_running_loop()
            deadline = loop.time() + seconds
            while (left := deadline - loop.time()) > 0:
                found = await consumer.getmany(timeout_ms=min(POLL_MS, int(left * 1000) + 1))
                yield [record.value for records in found.values() for record in records]
        finally:
            await consumer.stop()
    except (KafkaError, TimeoutError) as error:
        raise RecordingFailed(f"Kafka at {bootstrap}: {str(error) or 'no answer'}", hint="pagepulse status") from error
    except PagePulseError as error:
        raise RecordingFailed(error.detail, hint="pagepulse status") from error


async def write(
    path: Path, batches: AsyncIterator[Sequence[bytes | None]], progress: Callable[[Recorded], None]
) -> Recorded:
    """Writes the events of ``batches`` to ``path``, compressed if its name ends with ``.gz``. A cancelled call keeps what it has.

    Raises:
        RecordingFailed: the file exists or cannot be written, or no event arrived.
    """
    recorded, lines, whole = Recorded(), list[bytes](), path.name.endswith(".gz")
    part = path.with_name(f"{path.name}.part")

    def flush() -> None:
        text = b"".join(lines)
        lines.clear()
        with part.open("ab") as file:
            file.write(packed(text) if whole else text)

    if await asyncio.to_thread(path.exists):
        raise RecordingFailed(f"{path} exists", hint="choose another name, or remove it")
    try:
        await asyncio.to_thread(part.write_bytes, b"")
        try:
            async for values in batches:
                for value in values:
                    found = event_of(value)
                    if found is None:
                        recorded.skipped += 1
                    else:
                        lines.append(dumps(found[1]) + b"\n")
                        recorded.events += 1
                if len(lines) >= _PER_WRITE:
                    await asyncio.to_thread(flush)
                progress(recorded)
        finally:
            # Not in a thread: the call may be cancelled, and what was recorded is kept.
            if lines:
                flush()
            if recorded.events:
                part.replace(path)
            else:
                part.unlink(missing_ok=True)
    except OSError as error:
        raise RecordingFailed(f"{path} cannot be written: {error.strerror}") from error
    if not recorded.events:
        raise RecordingFailed(
            f"no event arrived ({recorded.skipped} other records); nothing is written", hint="pagepulse load start"
        )
    return recorded


async def record(
    bootstrap: str,
    topics: Sequence[str],
    seconds: float,
    path: Path,
    *,
    begun: Callable[[], None],
    progress: Callable[[Recorded], None],
) -> Recorded:
    """Raises RecordingFailed."""
    async with aclosing(arriving(bootstrap, topics, seconds, begun)) as batches:
        return await write(path, batches, progress)
