"""The servers' jars, fetched by Maven: one pom per server, one folder per pom in the shared cache, all servers at the same time."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from datetime import timedelta
from pathlib import Path

from deploy.local import cache
from deploy.local.components.mariadb import program
from deploy.local.errors import SetupError
from deploy.local.progress import Progress, Step
from deploy.local.setup import commands

FETCH_WITHIN = timedelta(minutes=15)
ATTEMPTS = 3
PAUSE_SECONDS = 3.0
FOLDER_IN_CACHE = {"connect": "debezium-connector-mariadb"}
"""Connect's plugin path holds one folder per plugin; the other servers' jars lie in their cache folder directly."""

_DOWNLOADED = re.compile(r"^(?:\[INFO\] )?Downloaded from [^:]+: \S*/(\S+\.jar) ")


def missing() -> list[str]:
    """The servers whose jars are not in the cache."""
    return [server for server in cache.SERVERS if not cache.jars(server).is_dir()]


async def ensure(progress: Progress) -> None:
    """Fetches what is missing. Raises SetupError after several attempts."""
    servers = missing()
    try:
        async with asyncio.TaskGroup() as group:
            for server in servers:
                group.create_task(_fetch(server, progress))
    except* SetupError as failed:
        raise failed.exceptions[0] from None


async def _fetch(server: str, progress: Progress) -> None:
    with progress.step(f"jars of {server}") as step:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await _copy(server, step)
                break
            except SetupError:
                if attempt == ATTEMPTS:
                    raise
                step(f"attempt {attempt} failed, retrying")
                await asyncio.sleep(PAUSE_SECONDS * attempt)


async def _copy(server: str, step: Step) -> None:
    """Into a folder beside the final one, then renamed: a folder that is there is complete."""
    target = cache.jars(server)
    part = target.with_name(f"{target.name}.part-{os.getpid()}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    count = 0

    def on_line(line: str) -> None:
        nonlocal count
        found = _DOWNLOADED.match(line)
        if found:
            count += 1
            step(f"{count} files, {found[1]}")

    command = (
        program("mvn"),
        "--batch-mode",
        "--strict-checksums",
        f"--file={cache.pom(server)}",
        "dependency:copy-dependencies",
        f"-DoutputDirectory={part / FOLDER_IN_CACHE.get(server, '')}",
    )
    try:
        await commands.run(
            command,
            what=f"fetching the jars of {server}",
            log=cache.root() / "logs" / f"maven-{server}.log",
            within=FETCH_WITHIN,
            on_line=on_line,
            hint="is the network there? Maven's own settings (~/.m2/settings.xml) may name a mirror or a proxy",
        )
        _publish(part, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _publish(part: Path, target: Path) -> None:
    if not any(part.rglob("*.jar")):
        raise SetupError(f"Maven ended well and left no jar in {part}")
    part.rename(target)
