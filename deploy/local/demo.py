"""From healthy servers to a running pipeline: seed, provision, and (in the foreground demo) generate."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from deploy.local.board import Board, Phase
from deploy.local.client import Services
from deploy.local.errors import ServiceRefused
from deploy.local.options import Options


@dataclass(frozen=True, slots=True)
class Retry:
    """A request without an answer is repeated as long as it takes; one that was refused, or a failed run, ``attempts`` times."""

    attempts: int = 3
    pause: timedelta = timedelta(seconds=3)


async def prepare(services: Services, options: Options, board: Board, retry: Retry = Retry()) -> None:
    """Users that are there already are kept: a second start adds none. Raises ServiceRefused."""

    async def seed() -> None:
        board.enter(Phase.SEEDING, f"{options.users} users")
        if not await services.users():
            await services.seed(options.users)

    async def provision() -> None:
        board.enter(Phase.PROVISIONING, "topics, connector, KSQL statements, Pinot tables")
        await services.apply(lambda step: board.enter(Phase.PROVISIONING, step))
        await services.until_provisioned(progress=lambda detail: board.enter(Phase.PROVISIONING, detail))

    async def generate() -> None:
        if (await services.generation()).get("state") != "running":
            await services.generate(options.rate)

    for step in (seed, provision, *([generate] if options.generate else [])):
        await _insist(step, board, retry)


async def _insist(step: Callable[[], Awaitable[None]], board: Board, retry: Retry) -> None:
    refused = 0
    while True:
        try:
            return await step()
        except ServiceRefused as error:
            refused += not error.transient
            if refused >= retry.attempts:
                raise
            board.enter(board.phase, f"{error.reason}; the next attempt is in {retry.pause.total_seconds():.3g} s")
        await asyncio.sleep(retry.pause.total_seconds())
