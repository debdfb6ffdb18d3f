"""The small programs that run inside the containers, run here."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import plotly
import pytest

from services.dashboard.plot import library
from tests.patience import STEP_S
from tests.ports import free_port
from tests.unit.compose.files import FOLDER, example


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
        "healthcheck.py": [sys.executable, str(FOLDER / "healthcheck.py")],
        "http-ok.sh": ["bash", str(FOLDER / "http-ok.sh"), str(port), path],
    }[program]
    environment = {**os.environ, "PAGEPULSE_PORT": str(port), "PAGEPULSE_HEALTH_PATH": path}
    return subprocess.run(command, env=environment, capture_output=True, timeout=STEP_S, check=False).returncode


@pytest.mark.parametrize("program", ["healthcheck.py", "http-ok.sh"])
def test_a_health_check_believes_200_only(program: str, port: int) -> None:
    assert check(program, port, "/healthz") == 0
    assert check(program, port, "/other") != 0


@pytest.mark.parametrize("program", ["healthcheck.py", "http-ok.sh"])
def test_a_health_check_fails_without_a_listener(program: str) -> None:
    assert check(program, free_port(), "/healthz") != 0


@pytest.mark.parametrize(("brokers", "status"), [(b"kafka1kafka2", 0), (b"kafka2", 1), (b"", 1)])
def test_a_broker_is_healthy_when_it_is_in_its_own_answer(tmp_path: Path, brokers: bytes, status: int) -> None:
    """A server that speaks as a broker does: a length, then the answer."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(100))
                body = b"\x00\x00\x00\x01\x00\x00\x00\x02" + brokers
                connection.sendall(len(body).to_bytes(4, "big") + body)
                connection.recv(1)  # the broker keeps the connection open

        thread = Thread(target=answer)
        thread.start()
        script = tmp_path / "kafka-ok"
        script.write_text((FOLDER / "kafka-ok.sh").read_text().replace("9092", str(server.getsockname()[1])))
        done = subprocess.run(["bash", script, "kafka1"], capture_output=True, timeout=STEP_S, check=False)
        thread.join()
    assert done.returncode == status, done.stderr
    (request,) = asked
    assert request == bytes.fromhex("00000010 0003 0001 00000001 0002 6f6b 00000000".replace(" ", ""))


@pytest.fixture
def fake_mysql(tmp_path: Path) -> Path:
    """A client that keeps the statements it is sent, and whose server is of version $SERVER; gives the folder that holds it."""
    client = tmp_path / "mysql"
    client.write_text(
        '#!/bin/sh\ncase "$*" in *VERSION*) echo "$SERVER" ;; *) echo "$MYSQL_PWD" > "$SEEN.password"; cat > "$SEEN" ;; esac\n'
    )
    client.chmod(0o755)
    return tmp_path


def make_accounts(folder: Path, *, sourced: bool, seeder_password: str, server: str = "8.4.3") -> int:
    script = FOLDER.parent / "kubernetes/base/engines/accounts.sh"
    environment = {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "SERVER": server,
        "SEEN": str(folder / "seen.sql"),
        "MYSQL_ROOT_PASSWORD": "root's",
        "MYSQL_DATABASE": "pagepulse",
        "SEEDER_USER": "pagepulse",
        "SEEDER_PASSWORD": seeder_password,
        "READER_USER": "cdc",
        "READER_PASSWORD": "plain",
    }
    # The image's own script stops at the first error.
    command = ["bash", "-c", f"set -e; . '{script}'; true"] if sourced else [str(script)]
    return subprocess.run(command, env=environment, timeout=STEP_S, check=False).returncode


@pytest.mark.parametrize("sourced", [False, True])
def test_mysqls_accounts_survive_any_password(fake_mysql: Path, sourced: bool) -> None:
    assert make_accounts(fake_mysql, sourced=sourced, seeder_password="it's a \\ $PATH") == 0
    assert (fake_mysql / "seen.sql").read_text().splitlines() == [
        r"CREATE USER 'pagepulse'@'%' IDENTIFIED WITH mysql_native_password BY 'it\'s a \\ $PATH';",
        "GRANT ALL PRIVILEGES ON `pagepulse`.* TO 'pagepulse'@'%';",
        "CREATE USER 'cdc'@'%' IDENTIFIED BY 'plain';",
        "GRANT SELECT ON `pagepulse`.* TO 'cdc'@'%';",
    ]
    assert (fake_mysql / "seen.sql.password").read_text() == "root's\n"


def test_in_mariadb_the_connector_may_read_the_binary_log(fake_mysql: Path) -> None:
    assert make_accounts(fake_mysql, sourced=True, seeder_password="plain", server="10.11.14-MariaDB-log") == 0
    assert (fake_mysql / "seen.sql").read_text().splitlines() == [
        "CREATE USER 'pagepulse'@'%' IDENTIFIED BY 'plain';",
        "GRANT ALL PRIVILEGES ON `pagepulse`.* TO 'pagepulse'@'%';",
        "CREATE USER 'cdc'@'%' IDENTIFIED BY 'plain';",
        "GRANT SELECT, RELOAD, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT, LOCK TABLES ON *.* TO 'cdc'@'%';",
    ]


@pytest.mark.parametrize("sourced", [False, True])
def test_mysql_refuses_a_password_of_the_example(fake_mysql: Path, sourced: bool) -> None:
    assert make_accounts(fake_mysql, sourced=sourced, seeder_password="change-me") != 0
    assert not (fake_mysql / "seen.sql").exists()


def test_every_secret_gets_a_value_of_its_own_once(tmp_path: Path) -> None:
    def made() -> dict[str, str]:
        subprocess.run([FOLDER / "env.sh", tmp_path], capture_output=True, timeout=STEP_S, check=True)
        lines = (tmp_path / ".env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

    first = made()
    assert set(first) == set(example())
    secrets = [first[name] for name, value in example().items() if value == "change-me"]
    assert len(set(secrets)) == len(secrets) == 5
    assert all(re.fullmatch("[0-9a-f]{48}", secret) for secret in secrets)
    assert {name: first[name] for name, value in example().items() if value != "change-me"} == {
        name: value for name, value in example().items() if value != "change-me"
    }
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert made() == first


def test_for_local_images_the_file_says_so_and_is_not_mixed_up(tmp_path: Path) -> None:
    def make(images: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "IMAGES": images}
        command = [FOLDER / "env.sh", tmp_path]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=STEP_S, check=False)

    assert make("local").returncode == 0
    text = (tmp_path / ".env").read_text()
    assert "\nCOMPOSE_FILE=compose.yaml:compose.local-images.yaml\n" in text
    assert "\nCOMPOSE_PROFILES=embedded\n" in text
    assert "\nPAGEPULSE_DISTINCT_TOLERANCE=0\n" in text
    assert "change-me\n" not in text
    assert (make("local").returncode, make("").returncode) == (0, 0)
    other = make("registry")
    assert (other.returncode, "is for IMAGES=local" in other.stderr) == (1, True)
    assert (make("loca").returncode, (tmp_path / ".env").read_text()) == (1, text)


@pytest.mark.parametrize("installed", [True, False])
def test_what_the_dashboard_serves_is_not_taken_out_of_its_image(tmp_path: Path, installed: bool) -> None:
    """plotly's script is read from its package. Most services have no plotly, and are trimmed by the same program."""
    packages = Path(plotly.__file__).parents[1]
    served = tmp_path / library._FILE.relative_to(packages)
    notebooks = served.with_name("widgetbundle.js")
    if installed:
        served.parent.mkdir(parents=True)
        served.touch()
        notebooks.touch()
    subprocess.run(["sh", str(FOLDER / "trim.sh"), str(tmp_path)], capture_output=True, timeout=STEP_S, check=True)
    assert served.exists() == installed
    assert not notebooks.exists()


@pytest.mark.parametrize(
    ("said", "code"), [("Log directory /data is already formatted. Use", 0), ("Invalid cluster id", 1)]
)
def test_a_broker_with_data_starts_again_and_one_that_cannot_be_set_up_does_not(
    tmp_path: Path, said: str, code: int
) -> None:
    """Kafka's set-up ends with an error in both cases; this java says what it is given to say."""
    java = tmp_path / "java"
    java.write_text(f'#!/bin/sh\ncase $* in *" setup "*) echo "{said}"; exit 1 ;; *) echo started ;; esac\n')
    java.chmod(0o755)
    done = subprocess.run(
        ["bash", str(FOLDER / "images" / "kafka" / "bin" / "run.sh")],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=STEP_S,
        check=False,
    )
    assert done.returncode == code
    assert (done.stdout == "started\n") == (code == 0)
    assert (said in done.stderr) == (code != 0)
