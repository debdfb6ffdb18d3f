"""The collector as a process without brokers, whose disk takes no more."""

from __future__ import annotations

import random
import resource
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from tests.collector import CollectorProcess, deliver, view

_KIB = 1024


@pytest.fixture
async def collector(tmp_path: Path) -> AsyncIterator[CollectorProcess]:
    process = CollectorProcess(tmp_path)
    try:
        yield process
    finally:
        await process.clean_up()


def limit_files(collector: CollectorProcess, size: int) -> None:
    """No file of the collector may grow beyond ``size`` bytes: a write beyond it is cut off, the next one fails, as on a full disk."""
    assert collector.process is not None
    resource.prlimit(collector.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


async def test_a_full_disk_is_refused_with_a_time_to_retry_and_nothing_acknowledged_is_lost(
    collector: CollectorProcess,
) -> None:
    dice, refusals = random.Random(1), list[Mapping[str, str]]()
    batches = [[view(n) for n in range(start, start + 20)] for start in range(0, 400, 20)]
    await collector.start(PAGEPULSE_LOG_LEVEL="ERROR")
    limit_files(collector, 40 * _KIB)
    acknowledged = 0
    for batch in batches:
        answer = await collector.client.post("/collect", json=batch)
        if answer.status_code == 503:
            assert answer.json()["type"] == "journal-broken"
            assert int(answer.headers["Retry-After"]) > 0
            break
        acknowledged += 1
    assert 0 < acknowledged < len(batches)
    assert (await collector.client.post("/collect", json=batches[acknowledged])).status_code == 503, "still full"
    assert len(collector.journalled()) == 20 * acknowledged
    assert all(path.read_bytes().endswith(b"\n") for path in collector.journal.glob("*.log")), "nothing of the others"

    limit_files(collector, resource.RLIM_INFINITY)
    await deliver(collector.client, batches[acknowledged], dice, refusals)
    await collector.end(kill=True)
    await collector.start()
    for batch in batches:
        await deliver(collector.client, batch, dice, refusals)

    assert refusals == []
    assert [record["page"] for record in collector.journalled()] == [f"/p/{n}" for n in range(400)]
