"""The running stack as a drill sees it: its processes, its services, its health."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

import httpx

from deploy.local import java
from deploy.local.board import Board, Phase
from deploy.local.client import Services
from deploy.local.component import Component
from deploy.local.components import all_components
from deploy.local.components.context import Context
from deploy.local.errors import StackError
from deploy.local.options import Options
from deploy.local.ports import Ports
from deploy.local.state import State
from deploy.local.waiting import until
from tests import stack as local_stack
from tests.stack import Stack

_ANSWER_S: Final = 4.0
_LOOK: Final = timedelta(milliseconds=300)
#: until what was struck is back, or the pipeline is as it should be: how long it took is measured, this only ends a drill
_BACK_S: Final = 300.0
#: a command of the CLI: up, down
_COMMAND_S: Final = 900.0


class Environment:
    """One stack. ``services`` raise ServiceRefused, ``http`` httpx's errors: under a fault both are to be expected."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.state = State(stack.directory)
        self.ports = Ports(stack.offset)
        self.services = Services(self.ports)
        self.http = httpx.AsyncClient(timeout=10, trust_env=False)
        #: what a drill wants to tell beside its figures
        self.notes: list[str] = []
        #: acknowledged events that a drill has sent itself
        self.sent = 0
        self._components = self._described()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        await self.services.__aexit__()
        await self.http.aclose()

    def _described(self) -> list[Component]:
        options = Options.read(self.state.read_run()["options"])
        return all_components(Context(options=options, state=self.state, java=java.require()))

    # --- processes

    def board(self) -> Board:
        """What the supervisor has published."""
        return Board.read(self.state.read_run())

    def pid(self, component: str) -> int:
        """Raises KeyError if it is not running."""
        return self.state.read_pids()[component].pid

    def signal(self, number: signal.Signals, *components: str) -> None:
        """To the leading process of each, at the same moment."""
        for pid in [self.pid(component) for component in components]:
            os.kill(pid, number)

    def kill(self, *components: str) -> None:
        """kill -9."""
        self.signal(signal.SIGKILL, *components)

    async def restarted(self, component: str, old: int, within_s: float = _BACK_S) -> None:
        """Waits until another process than ``old`` is healthy. Raises TimeoutError."""

        def is_back() -> bool:
            line = self.board().lines[component]
            return line.pid not in (None, old) and line.state == "healthy"

        if not await until(is_back, timedelta(seconds=within_s)):
            raise TimeoutError(f"{component} is not back after {within_s:g} s")

    async def pagepulse(self, *arguments: str) -> None:
        """A command of the CLI on this stack. Raises RuntimeError if it fails."""
        place = ("--dir", str(self.stack.directory))
        done = await asyncio.to_thread(local_stack.pagepulse, *arguments, *place, timeout=_COMMAND_S)
        if done.returncode != 0:
            raise RuntimeError(f"pagepulse {' '.join(arguments)}: {done.stdout}\n{done.stderr}")

    async def up(self) -> None:
        """Starts everything (anew), on the data that is there."""
        await self.pagepulse("up", "--detach", "--port-offset", str(self.stack.offset))

    # --- health

    async def healthy(self) -> bool:
        """Every component, asked at this moment."""
        board = self.board()
        if board.phase is not Phase.READY or not board.all_healthy():
            return False
        answers = await asyncio.gather(*(_answers_well(c) for c in self._components))
        return all(answers)

    async def ready(self) -> bool:
        """The pipeline, as the provisioner sees it."""
        try:
            return bool((await self.services.pipeline(fresh=True))["ready"])
        except StackError:
            return False

    async def until_ready(self, ready: bool = True, within_s: float = _BACK_S) -> None:
        """Waits until the provisioner says that the pipeline is (or is not) ready. Raises TimeoutError."""

        async def is_so() -> bool:
            return await self.ready() is ready

        if not await until(is_so, timedelta(seconds=within_s), _LOOK):
            raise TimeoutError(f"the pipeline does not become {'ready' if ready else 'other than ready'}")

    async def apply(self, within_s: float = _BACK_S) -> None:
        """Applies; again while a server is still unavailable. Raises TimeoutError."""

        async def applied() -> bool:
            with suppress(StackError):
                await self.services.apply()
                return True
            return False

        if not await until(applied, timedelta(seconds=within_s), _LOOK):
            raise TimeoutError("the pipeline cannot be applied")


async def _answers_well(component: Component) -> bool:
    try:
        async with asyncio.timeout(_ANSWER_S):
            await component.health()
    except Exception:
        return False
    return True
