"""Class-data archives: one short run of each Java server, ended normally, leaves an archive from which later starts load their classes.

It is worth it: on two cores the servers are up in 9 s instead of 15 s. A stack without archives works too, so a failure
is reported and forgotten.
"""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from datetime import timedelta
from pathlib import Path

from deploy.local import cache, java
from deploy.local.board import Board
from deploy.local.components import all_components
from deploy.local.components.context import Context
from deploy.local.errors import PortTaken, StackError
from deploy.local.options import Options
from deploy.local.ports import check_free
from deploy.local.progress import Progress
from deploy.local.state import State
from deploy.local.supervisor import Pace, Supervisor

OFFSETS = range(4000, 12_000, 250)
"""The run must not meet a stack of the user: the first of these port offsets that is free is taken."""

DUMP_WITHIN = timedelta(seconds=60)
ONCE = Pace(ready_within=timedelta(minutes=5), attempts=1)
SERVER_OF = {"kafka": "kafka", "connect": "kafka", "zookeeper": "pinot", "pinot": "pinot"}


def missing() -> list[str]:
    """The components without an archive that fits the present Java and jars."""
    found = java.find()
    return (
        []
        if found is None
        else [name for name, server in SERVER_OF.items() if not cache.archive(name, found, server).exists()]
    )


async def ensure(progress: Progress) -> None:
    """Makes the missing archives."""
    if not missing():
        return
    with (
        progress.step("class-data archives (one short run of each server)") as step,
        tempfile.TemporaryDirectory(prefix="pagepulse-") as folder,
    ):
        try:
            await _record(State(Path(folder)))
        except (StackError, OSError) as error:
            step.skipped(f"not made, starts will be slower ({error})")


async def _record(state: State) -> None:
    options = Options(dir=state.root, brokers=1, demo=False, only=("kafka", "connect", "pinot"))
    context = Context(options=options, state=state, java=java.require(), record=True)
    for offset in OFFSETS:
        context = dataclasses.replace(context, options=dataclasses.replace(options, port_offset=offset))
        try:
            check_free((c.name, port) for c in all_components(context) for port in c.ports)
            break
        except PortTaken:
            continue
    # Writing the archive happens at the end of the process and takes some seconds.
    components = [dataclasses.replace(c, stop_within=DUMP_WITHIN) for c in all_components(context)]
    state.make()
    (cache.root() / "cds").mkdir(parents=True, exist_ok=True)
    supervisor = Supervisor(components, state, Board.of(components, state.log, {}), ONCE)
    try:
        await supervisor.start()
    finally:
        await asyncio.shield(supervisor.stop())
    for name, server in SERVER_OF.items():
        archive = cache.archive(name, context.java, server)
        part = cache.part(archive)
        if part.exists():
            part.replace(archive)
