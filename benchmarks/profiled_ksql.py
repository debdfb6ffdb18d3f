"""The embedded ksqlDB with a second thread that looks at the core every few milliseconds and notes what it does.

    PAGEPULSE_PROFILE=FILE python -m benchmarks.profiled_ksql

When the server ends, FILE holds ``{second: {stage: seconds}}``; the seconds outside are those of the wall clock. The stage
is that of the innermost frame that belongs to one; with the query, where one is running.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType
from typing import Final

import orjson

from services.ksql.runtime.query_task import QueryTask
from services.ksql.server import main

INTERVAL_S: Final = 0.005
CORE_THREAD: Final = "ksql-core"

#: part of a file's path -> stage; the innermost frame that matches one of them decides
STAGES: Final = (
    ("ksql/engine/operators/source.py", "decode"),
    ("ksql/engine/operators/decode.py", "decode"),
    ("ksql/engine/operators/sink.py", "encode"),
    ("ksql/engine/operators/time_windows.py", "window aggregate"),
    ("ksql/engine/operators/session_windows.py", "session aggregate"),
    ("ksql/engine/operators/aggregate.py", "group and aggregate"),
    ("ksql/engine/operators/join", "join"),
    ("ksql/engine/operators/rows.py", "project and filter"),
    ("ksql/engine/operators/", "other operators"),
    ("ksql/engine/state.py", "state to changelog"),
    ("ksql/engine/", "query loop"),
    ("ksql/runtime/merge.py", "read in step"),
    ("ksql/runtime/kafka_consumer.py", "fetch"),
    ("shared/aiokafka_internals.py", "fetch"),
    ("ksql/runtime/shared_consumers.py", "fetch"),
    ("aiokafka/consumer/", "fetch"),
    ("aiokafka/producer/", "send"),
    ("ksql/runtime/kafka_producer.py", "send"),
    ("ksql/runtime/committer.py", "send"),
    ("ksql/runtime/state_log.py", "send"),
    ("aiokafka/", "Kafka connections"),
    ("ksql/runtime/query_task.py", "bookkeeping"),
    ("asyncio/runners.py", "waiting"),
    ("asyncio/", "Kafka connections"),
    ("ksql/runtime/thread.py", "waiting"),
    ("ksql/runtime/", "runtime"),
)
#: frames that say for which query the work is
_PER_QUERY: Final = ("window aggregate", "session aggregate", "group and aggregate", "join")


def stage_of(frame: FrameType | None) -> str:
    """What the thread with this innermost frame is doing."""
    stage = ""
    while frame is not None:
        if not stage:
            path = frame.f_code.co_filename
            stage = next((name for part, name in STAGES if part in path), "")
            if stage and stage not in _PER_QUERY:
                return stage
        elif frame.f_code.co_filename.endswith("runtime/query_task.py"):
            running = frame.f_locals.get("self")
            if isinstance(running, QueryTask):
                return f"{stage}: {running.id.split('_', 1)[1].rsplit('_', 1)[0].lower()}"
        frame = frame.f_back
    return stage or "waiting"


class Sampler(threading.Thread):
    """Samples until ``stop``."""

    def __init__(self) -> None:
        super().__init__(name="sampler", daemon=True)
        self.slots: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._stopping = threading.Event()

    def run(self) -> None:
        before = time.perf_counter()
        while not self._stopping.wait(INTERVAL_S):
            # A busy core gives way to this thread later than an idle one: each look counts for the time since the last.
            now = time.perf_counter()
            seconds, before = now - before, now
            core = next((t.ident for t in threading.enumerate() if t.name == CORE_THREAD), None)
            if core is not None:
                self.slots[int(time.time())][stage_of(sys._current_frames().get(core))] += seconds

    def stop(self) -> None:
        self._stopping.set()
        self.join()


if __name__ == "__main__":
    sampler = Sampler()
    sampler.start()
    try:
        main()
    finally:
        sampler.stop()
        slots = {str(second): dict(stages) for second, stages in sampler.slots.items()}
        Path(os.environ["PAGEPULSE_PROFILE"]).write_bytes(orjson.dumps(slots))
