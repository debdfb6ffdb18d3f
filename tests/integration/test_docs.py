"""Every example of README.md, CONTRIBUTING.md and docs/*.md on the running stack, in order, with the answers that the pages promise.

The convention is in tests/documents.py. Only the ports differ: those of the pages are moved to the stack's.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.local.ports import Ports
from deploy.local.waiting import until
from tests.documents import PAGES, differences, examples, identity
from tests.stack import REPOSITORY, Stack, pagepulse

pytestmark = pytest.mark.stack

RUN = {page: [e for e in examples(page) if e.not_run is None] for page in PAGES}
EACH_WITHIN = 300
#: exit codes of ``plan`` and ``verify`` for what cannot be said at the moment, as on a busy machine, and how often they are asked
_NOT_KNOWN, _ASK = (4, 5), 5
_LOOK, _READY_WITHIN = timedelta(seconds=2), timedelta(minutes=5)
PREPARE = """
set -euo pipefail
curl() { command curl --no-progress-meter --fail-with-body --max-time 240 "$@"; }
pagepulse() { "$PAGEPULSE" "$@" --dir "$STACK"; }
"""
_PORTS = [
    Ports()[n]
    for n in ("generator", "collector", "seeder", "provisioner", "ksql", "connect", "pinot_controller", "dashboard")
]


def moved(command: str, offset: int) -> str:
    """The command with the ports of the stack."""
    port = "|".join(map(str, _PORTS))
    return re.sub(rf"\b(localhost|127\.0\.0\.1):({port})\b", lambda m: f"{m[1]}:{int(m[2]) + offset}", command)


async def shell(command: str, stack: Stack) -> tuple[int, str, str]:
    program = Path(sys.executable).with_name("pagepulse")
    environment = {
        **os.environ,
        "PAGEPULSE": str(program),
        "STACK": str(stack.directory),
        "COLUMNS": "80",
        "NO_COLOR": "1",
    }
    process = await asyncio.create_subprocess_exec(
        *("/bin/bash", "-c", PREPARE + command.replace(".venv/bin/pagepulse", "pagepulse")),
        cwd=REPOSITORY,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(EACH_WITHIN):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out.decode(), err.decode()


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", [p for p in PAGES if RUN[p]], ids=lambda page: page.name)
async def test_every_example_holds(stack: Stack, page: Path) -> None:
    pagepulse("load", "stop", "--dir", str(stack.directory))
    last_id = ""
    wrong: list[str] = []
    for example in RUN[page]:
        command = moved(re.sub(r"\bID\b", last_id, example.command), stack.offset)
        for _ in range(_ASK):
            code, out, err = await shell(command, stack)
            if code not in _NOT_KNOWN:
                break
        answer: Any = None
        try:
            answer = json.loads(out)
        except ValueError:
            answer = out
        last_id = identity(answer) or last_id
        if code != 0:
            wrong.append(f"{example.where}: {example.command}\n  exit code {code}: {out[-600:]} {err[-600:]}")
        elif example.answer is not None:
            wrong += [f"{example.where}: {difference}" for difference in differences(example.answer, answer)]
    pagepulse("load", "stop", "--dir", str(stack.directory))
    assert not wrong, "\n".join(wrong)


async def test_what_the_examples_leave_is_a_stack_that_is_ready(stack: Stack) -> None:
    """Later tests use it too."""
    assert await until(lambda: bool(stack.status()["ready"]), every=_LOOK, within=_READY_WITHIN)
