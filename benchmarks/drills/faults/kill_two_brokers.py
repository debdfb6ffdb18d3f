"""Two of three brokers are killed at once: nothing can be acknowledged until one is back, and the generator's status says so."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, Final

import httpx

from benchmarks.drills.environment import Environment
from deploy.local.waiting import until

#: the supervisor has a broker back after some five seconds; writes must be seen to stop before
_WITHIN: Final = timedelta(seconds=15)
_LOOK: Final = timedelta(milliseconds=50)


async def strike(environment: Environment) -> None:
    """Raises TimeoutError if events go on being acknowledged with one copy only."""
    environment.kill("kafka1", "kafka2")
    struck = time.monotonic()
    said: dict[str, Any] = {}

    async def stopped() -> bool:
        nonlocal said
        said = await _status(environment)
        return bool(said["achieved_rate"]["last_1s"] == 0 and said["in_flight"])

    try:
        in_time = await until(stopped, _WITHIN, _LOOK)
    except httpx.HTTPError as error:
        raise TimeoutError(f"the generator does not answer while Kafka is unavailable: {error!r}") from None
    if not in_time:
        raise TimeoutError("with two of three brokers down, events were still acknowledged")
    environment.notes.append(
        f"{time.monotonic() - struck:.1f} s after it the status said: 0 events/s acknowledged, {said['in_flight']} waiting"
    )


async def _status(environment: Environment) -> dict[str, Any]:
    answer = await environment.http.get(f"{environment.ports.url('generator')}/generator/status")
    answer.raise_for_status()
    return dict(answer.json())
