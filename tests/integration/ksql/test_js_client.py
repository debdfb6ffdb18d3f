"""The npm package ``ksqldb-client``, which speaks HTTP/2 without TLS, against a real server over Kafka."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from deploy.local import cache
from tests.integration.ksql.harness import KsqlServer
from tests.patience import STACK_S, WORK_S

pytestmark = pytest.mark.stack

_JS = Path(__file__).parent / "js"
_MANIFEST = ("package.json", "package-lock.json")
_INSTALL_S, _DRIVE_S = STACK_S, WORK_S


async def run(*command: str, within: float, **environment: str) -> bytes:
    """What the program prints. Fails the test, with the end of its stderr, if it does not end well in time."""
    program = shutil.which(command[0])
    assert program is not None, f"{command[0]} is not installed: `pagepulse setup --tests` installs it"
    process = await asyncio.create_subprocess_exec(
        program,
        *command[1:],
        env=os.environ | environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    assert process.stdout is not None
    # Read apart from the wait, so that what a hanging program has said is not lost with it.
    said = [asyncio.ensure_future(process.stdout.read()), asyncio.ensure_future(process.stderr.read())]
    late = False
    try:
        async with asyncio.timeout(within):
            await asyncio.wait(said)
            await process.wait()
    except TimeoutError:
        late = True
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        out, err = await asyncio.gather(*said)
    ending = f"not done within {within} s" if late else f"exit code {process.returncode}"
    assert process.returncode == 0, f"{' '.join(command)}: {ending}\n{err.decode()[-3000:]}"
    return out


@pytest.fixture
async def node_modules() -> Path:
    """The packages of the lock, fetched once per lock into the cache that all checkouts share."""
    digest = hashlib.sha256(b"".join((_JS / name).read_bytes() for name in _MANIFEST)).hexdigest()
    folder = cache.root() / f"npm-{digest[: cache.DIGEST_LENGTH]}"
    if not folder.exists():
        cache.root().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{folder.name}.part", dir=cache.root()) as part:
            for name in _MANIFEST:
                shutil.copy(_JS / name, part)
            await run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", part, within=_INSTALL_S)
            keep(Path(part, "node_modules"), folder)
    return folder


def keep(fetched: Path, folder: Path) -> None:
    """Puts a folder in its place, whole; another run may have been first."""
    try:
        fetched.rename(folder)
    except OSError:
        if not folder.exists():
            raise


async def test_ksqldb_client_package(server: KsqlServer, node_modules: Path) -> None:
    command = ("node", str(_JS / "drive.js"), str(server.port), server.prefix)
    answers: dict[str, Any] = json.loads(await run(*command, within=_DRIVE_S, NODE_PATH=str(node_modules)))
    check_statements(answers, server.prefix)
    check_rows(answers)
    check_ends(answers)


def check_statements(answers: dict[str, Any], prefix: str) -> None:
    assert answers["no_streams"] == []
    for name in ("create_stream", "create_table"):
        assert answers[name]["status"] == 200
        assert answers[name]["data"]["rows"][0]["commandStatus"]["status"] == "SUCCESS"
    assert [(s["name"], s["topic"], s["valueFormat"]) for s in answers["streams"]] == [
        ("CLICKS", f"{prefix}clicks", "JSON")
    ]
    assert [t["name"] for t in answers["tables"]] == ["COUNTS"]
    assert {t["name"] for t in answers["topics"]} >= {f"{prefix}clicks", f"{prefix}counts"}
    assert [(q["sinks"], q["state"]) for q in answers["queries"]] == [(["COUNTS"], "RUNNING")]
    assert [f["name"] for f in answers["described"]["fields"]] == ["K", "N", "S"]
    assert answers["refused"]["status"] == 400
    assert "NOSUCH" in answers["refused"]["error"]["message"]


def check_rows(answers: dict[str, Any]) -> None:
    for name in ("insert_0", "insert_1", "insert_2", "insert_while_pushed"):
        assert answers[name] == {"data": {"rows": [{"status": "ok", "seq": 0}]}, "status": 200}
    assert answers["insert_refused"]["error"]["@type"] == "InsertError"

    assert answers["push_limited"]["status"] == 200
    assert answers["push_limited"]["data"]["metadata"]["columnNames"] == ["K", "N", "S"]
    assert answers["push_limited_rows"] == [
        {"K": "a", "N": 1, "S": "one"},
        {"K": "a", "N": 2, "S": None},
        {"K": "b", "N": 5, "S": "five"},
    ]
    assert answers["pushed"] == [{"K": "b", "N": 6}]
    assert answers["push_closed"] == {"status": 200}
    assert answers["push_ended"]["status"] == 200
    assert answers["push_closed_twice"]["status"] == 400

    assert answers["pulled"]["data"]["metadata"]["columnTypes"] == ["STRING", "BIGINT", "INTEGER"]
    assert answers["pulled"]["data"]["rows"] == [{"K": "b", "N": 2, "TOTAL": 11}]
    assert answers["pulled_nothing"]["data"]["rows"] == []
    assert answers["pull_refused"]["status"] == 400
    assert "NOSUCH" in answers["pull_refused"]["error"]["message"]


def check_ends(answers: dict[str, Any]) -> None:
    for name in ("terminated", "table_dropped", "stream_dropped"):
        assert answers[name]["status"] == 200, answers[name]
    assert answers["streams_left"] == []
    assert answers["queries_left"] == []
