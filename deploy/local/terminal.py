"""What every command shares: its options, its console, errors in words, and output that may lose its reader.

Nothing here imports rich, asyncio or a client before it is needed: ``pagepulse --help`` imports this module.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from deploy.local.errors import ServiceRefused, StackError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from rich.console import Console

a_folder = click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=".pagepulse",
    show_default=True,
    help="Folder of all state and logs.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
EXIT_FAILED = 1
EXIT_INTERRUPTED = 130
STALLED_AFTER = 5.0
"""Seconds without progress after which a reader counts as gone (a pager that was suspended, a terminal that was stopped)."""


def console(*, to_stderr: bool = False) -> Console:
    """Writes to standard output, as wide as the terminal."""
    from rich.console import Console

    return Console(highlight=False, stderr=to_stderr)


def print_json(answer: dict[str, Any]) -> None:
    """For programs."""
    import json

    click.echo(json.dumps(answer, indent=1))


@contextmanager
def errors_in_words() -> Iterator[None]:
    """Prints a StackError and ends the command with exit code 1, instead of a traceback."""
    try:
        yield
    except StackError as error:
        from deploy.local.console import failure

        if isinstance(error, ServiceRefused):
            from deploy.local.client import as_commands

            error.reason = as_commands(error.reason)
        console().print(failure(error))
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


class _Forgiving(io.FileIO):
    """A file descriptor for output without a reader: a write neither raises nor blocks.

    A reader that is gone (EPIPE, EIO), a full disk: the bytes are dropped. A reader that stopped reading: dropped after STALLED_AFTER,
    and at once until it reads again.
    """

    _stalled = False

    def write(self, data: ReadableBuffer, /) -> int:
        view = memoryview(data).cast("B")
        # poll() says that PIPE_BUF bytes can be written without waiting, and no more than that.
        for start in range(0, len(view), select.PIPE_BUF):
            piece = view[start : start + select.PIPE_BUF]
            try:
                while piece:
                    if not self._writable():
                        return len(view)
                    piece = piece[os.write(self.fileno(), piece) :]
            except OSError:
                return len(view)
        return len(view)

    def _writable(self) -> bool:
        poll = select.poll()
        poll.register(self.fileno(), select.POLLOUT)
        self._stalled = not poll.poll(0 if self._stalled else STALLED_AFTER * 1000)
        return not self._stalled


def outlive_the_reader() -> None:
    """From now on this process's output may lose its reader (a closed pipe, a terminal that is gone) and nothing fails for it."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        try:
            descriptor = stream.fileno()
        except (AttributeError, OSError, ValueError):
            continue  # captured by a test, or closed
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
        raw = io.BufferedWriter(_Forgiving(descriptor, "w", closefd=False))
        setattr(sys, name, io.TextIOWrapper(raw, encoding=stream.encoding, errors="replace", line_buffering=True))
