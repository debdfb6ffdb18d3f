"""A producer whose clock is two hours ahead.

Half of its records carry that clock too. The broker gives each record the time of its own clock, by which the engine drops and counts
the events; one of them would otherwise end every window that is open.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from benchmarks.drills.environment import Environment
from shared.events import PageView, Source
from shared.topics import PAGE_VIEW

_AHEAD_MS: Final = 2 * 3_600_000
_EVENTS: Final = 100
_PAUSE_S: Final = 0.05


async def strike(environment: Environment) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=environment.stack.kafka_bootstrap, acks="all")
    await producer.start()
    refused = 0
    try:
        for number in range(_EVENTS):
            now = time.time_ns() // 1_000_000
            view = PageView(f"ahead-{now}-{number}", 1 + number, Source.HOMEPAGE, now + _AHEAD_MS)
            stamp = view.event_timestamp if number % 2 else now
            try:
                await producer.send_and_wait(PAGE_VIEW, view.value(), key=view.key(), timestamp_ms=stamp)
            except KafkaError:
                refused += 1
            await asyncio.sleep(_PAUSE_S)
    finally:
        await producer.stop()
    environment.sent += _EVENTS - refused
    environment.notes.append(f"{refused} of {_EVENTS} events refused by Kafka, the others dropped and counted")
