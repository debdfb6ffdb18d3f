"""The leader of a page view partition is moved to another broker, by Kafka's own tools."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from benchmarks.drills.environment import Environment
from deploy.local import cache, java
from deploy.local.component import run_to_end
from deploy.local.java import Jvm
from shared.kafka import admin_client
from shared.topics import PAGE_VIEW

_PARTITION: Final = 0
_TOOL_WITHIN: Final = timedelta(seconds=60)
_TOOLS: Final = "org.apache.kafka.tools"


async def strike(environment: Environment) -> None:
    """The same replicas in another order, then the election of the first one."""
    before = await _partition(environment)
    first, *others = before["replicas"]
    place = {"topic": PAGE_VIEW, "partition": _PARTITION}
    plan = environment.state.conf / "reassignment.json"
    plan.write_text(json.dumps({"version": 1, "partitions": [{**place, "replicas": [*others, first]}]}))
    await _tool(
        environment, f"{_TOOLS}.reassign.ReassignPartitionsCommand", "--reassignment-json-file", plan, "--execute"
    )
    election = environment.state.conf / "election.json"
    election.write_text(json.dumps({"partitions": [place]}))
    await _tool(
        environment, f"{_TOOLS}.LeaderElectionCommand", "--path-to-json-file", election, "--election-type", "preferred"
    )
    after = await _partition(environment)
    if after["leader"] == before["leader"]:
        raise RuntimeError(f"the leader is still {before['leader']}")
    environment.notes.append(f"from broker {before['leader']} to broker {after['leader']}")


async def _partition(environment: Environment) -> dict[str, Any]:
    async with admin_client(environment.stack.kafka_bootstrap) as admin:
        (topic,) = await admin.describe_topics([PAGE_VIEW])
    return next(p for p in topic["partitions"] if p["partition"] == _PARTITION)


async def _tool(environment: Environment, tool: str, option: str, file: Path, *arguments: str) -> None:
    where = ("--bootstrap-server", environment.stack.kafka_bootstrap)
    command = Jvm(java.require(), cache.jars("kafka")).command(tool, *where, option, str(file), *arguments, heap="64m")
    code = await run_to_end(command, log=environment.state.log("drill"), deadline=_TOOL_WITHIN)
    if code != 0:
        raise RuntimeError(f"{tool} ended with {code}, see {environment.state.log('drill')}")
