"""The supervisor process of ``up --detach``: ``python -m deploy.local.supervise OPTIONS`` (JSON). Its output is supervisor.log."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys

from rich.console import Console

from deploy.local import session
from deploy.local.board import Board
from deploy.local.console import failure
from deploy.local.display import Follower
from deploy.local.errors import StackError
from deploy.local.options import Options
from deploy.local.state import State
from deploy.local.terminal import outlive_the_reader


def main() -> int:
    """The exit code: 0 after an ordered stop, 1 if the stack failed."""
    options = Options.read(json.loads(sys.argv[1]))
    state = State(options.dir)
    outlive_the_reader()
    console = Console(width=160)
    follower = Follower(console)
    try:
        state.acquire()
        board = asyncio.run(
            session.run(
                options, state, show=lambda run: run.listeners.append(lambda: follower.show(run)), say=console.print
            )
        )
    except StackError as error:
        console.print(failure(error))
        with contextlib.suppress(OSError):
            state.write_run(Board.failed(options.publish(), session.published(error)).publish())
        return 1
    finally:
        state.release()
    return 1 if board.error else 0


if __name__ == "__main__":
    sys.exit(main())
