"""The small programs that run inside the containers, run here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.unit.compose.files import FOLDER


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 503)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def check(program: str, port: int, path: str) -> int:
    command = {
        "healthcheck.py": [sys.executable, str(FOLDER / "healthcheck.py"), path],
        "http-ok.sh": ["bash", str(FOLDER / "http-ok.sh"), str(port), path],
    }[program]
    environment = {**os.environ, "PAGEPULSE_PORT": str(port)}
    return subprocess.run(command, env=environment, capture_output=True, timeout=20, check=False).returncode


@pytest.mark.parametrize("program", ["healthcheck.py", "http-ok.sh"])
def test_a_health_check_believes_200_only(program: str, port: int) -> None:
    assert check(program, port, "/healthz") == 0
    assert check(program, port, "/other") != 0


@pytest.mark.parametrize("program", ["healthcheck.py", "http-ok.sh"])
def test_a_health_check_fails_when_nobody_listens(program: str) -> None:
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        free = server.server_address[1]
    assert check(program, free, "/healthz") != 0


@pytest.mark.parametrize("sourced", [False, True])
def test_mysqls_accounts_survive_any_password(tmp_path: Path, sourced: bool) -> None:
    client = tmp_path / "mysql"
    client.write_text('#!/bin/sh\necho "$MYSQL_PWD" > "$SEEN.password"\ncat > "$SEEN"\n')
    client.chmod(0o755)
    seen = tmp_path / "seen.sql"
    script = FOLDER / "mysql" / "10-accounts.sh"
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "SEEN": str(seen),
        "MYSQL_ROOT_PASSWORD": "root's",
        "MYSQL_DATABASE": "pagepulse",
        "SEEDER_USER": "pagepulse",
        "SEEDER_PASSWORD": "it's a \\ $PATH",
        "READER_USER": "cdc",
        "READER_PASSWORD": "plain",
    }
    command = ["bash", "-c", f". '{script}'"] if sourced else [str(script)]
    subprocess.run(command, env=environment, timeout=20, check=True)
    sql = seen.read_text().splitlines()
    assert sql == [
        r"CREATE USER 'pagepulse'@'%' IDENTIFIED WITH mysql_native_password BY 'it\'s a \\ $PATH';",
        "GRANT ALL PRIVILEGES ON `pagepulse`.* TO 'pagepulse'@'%';",
        "CREATE USER 'cdc'@'%' IDENTIFIED BY 'plain';",
        "GRANT SELECT ON `pagepulse`.* TO 'cdc'@'%';",
    ]
    assert Path(f"{seen}.password").read_text() == "root's\n"
