"""Running an installer: its output goes to a log and, line by line, to the progress display."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from deploy.local.errors import SetupError


async def run(
    command: Sequence[str],
    *,
    what: str,
    log: Path,
    within: timedelta,
    on_line: Callable[[str], None],
    env: Mapping[str, str] | None = None,
    hint: str | None = None,
) -> None:
    """Runs ``command`` in a process group of its own, which ends with this call. Raises SetupError, naming ``what``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    last = ""
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(within.total_seconds()):
                async for raw in _lines(process.stdout):
                    file.write(raw)
                    text = raw.decode(errors="replace").strip()
                    if text:
                        last = text
                        on_line(text)
                code = await process.wait()
        except TimeoutError:
            raise SetupError(
                f"{what}: no end after {within.total_seconds():.0f} s (last: {last})", log=log, hint=hint
            ) from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
    if code != 0:
        raise SetupError(f"{what}: exit code {code} (last: {last})", log=log, hint=hint)


async def _lines(stream: asyncio.StreamReader | None) -> AsyncIterator[bytes]:
    """Lines of any length: an installer's progress bar may be one endless line."""
    rest = b""
    while stream is not None and (chunk := await stream.read(65_536)):
        *whole, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
        for line in whole:
            yield line + b"\n"
    if rest:
        yield rest
