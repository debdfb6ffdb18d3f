"""From healthy servers to a running pipeline: seed, provision, and (in the foreground demo) generate."""

from __future__ import annotations

from deploy.local.board import Board, Phase
from deploy.local.client import Services
from deploy.local.options import Options
from deploy.local.ports import Ports


async def prepare(options: Options, board: Board) -> None:
    """Users that are there already are kept: a second start adds none. Raises ServiceRefused."""
    async with Services(Ports(options.port_offset)) as services:
        board.enter(Phase.SEEDING, f"{options.users} users")
        if not await services.users():
            await services.seed(options.users)
        board.enter(Phase.PROVISIONING, "topics, connector, KSQL statements, Pinot tables")
        await services.apply(lambda step: board.enter(Phase.PROVISIONING, step))
        await services.until_provisioned()
        if options.generate:
            await services.generate(options.rate)
