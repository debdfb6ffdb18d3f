"""The provisioner is killed while it builds the pipeline anew: the next apply finishes what was begun."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import httpx

from benchmarks.drills.environment import Environment
from deploy.local.errors import StackError
from deploy.local.waiting import until

#: steps of the apply that are done when it is killed
_DONE: Final = 6
_WITHIN: Final = timedelta(seconds=300)
_LOOK: Final = timedelta(milliseconds=20)


async def strike(environment: Environment) -> None:
    """Removes the pipeline (the source topics stay), begins an apply, kills it halfway."""
    await environment.services.teardown(delete_topics=False)
    url = environment.ports.url("provisioner")
    answer = await environment.http.post(f"{url}/provisioner/apply", timeout=_WITHIN.total_seconds())
    answer.raise_for_status()
    run: dict[str, Any] = answer.json()

    async def halfway() -> bool:
        nonlocal run
        with suppress(httpx.HTTPError):
            run = (await environment.http.get(f"{url}/provisioner/runs/{run['id']}")).json()
        return sum(1 for step in run["steps"] if step["state"] == "done" and step["attempts"]) >= _DONE

    if not await until(halfway, _WITHIN, _LOOK):
        raise StackError("the apply does not get on")
    done = sum(step["state"] == "done" for step in run["steps"])
    environment.notes.append(f"killed with {done} of {len(run['steps'])} steps done")
    environment.kill("provisioner")


async def remedy(environment: Environment) -> None:
    await environment.apply()
