"""A dashboard whose servers are the fakes of the unit tests behind a real port: any state of them at once, and no stack."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx

from tests.browser.driving import streamlit_server
from tests.patience import STEP_S
from tests.unit.dashboard.fakes import Pinot, Services, flowing

_PARTS = (
    "GENERATOR",
    "SEEDER",
    "COLLECTOR",
    "PROVISIONER",
    "PINOT_BROKER",
    "PINOT_CONTROLLER",
    "KSQL",
    "CONNECT",
)
#: on a busy machine an imitated server may be slow, and a test may hold its answer back; what is away refuses at once
_PATIENT = {f"PAGEPULSE_{kind}_TIMEOUT": f"PT{STEP_S:.0f}S" for kind in ("REST", "ACTION", "QUERY")}


@dataclass(frozen=True, slots=True)
class Imitation:
    """The dashboard's URL, and the states of what is behind it."""

    url: str
    services: Services
    pinot: Pinot

    def reset(self) -> None:
        """The generator runs and every table has rows of now."""
        vars(self.services).update(vars(Services()))
        self.services.generator.update(state="running", target_rate=200.0, profile={"kind": "constant"})
        self.services.generator["achieved_rate"] = {"last_1s": 200.0, "last_10s": 200.0, "overall": 200.0}
        self.pinot.tables = {**flowing()}
        self.pinot.failure = None


@contextmanager
def imitation() -> Iterator[Imitation]:
    """A test changes what is behind it, and ``reset`` changes it back."""
    services, pinot = Services(), Pinot()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = httpx.Request(self.command, f"http://{self.headers['Host']}{self.path}", content=body)
            handle = pinot.handle if self.path == "/query/sql" else services.handle
            try:
                answer = handle(request)
            except httpx.TransportError:
                self.close_connection = True  # without an answer
                return
            self.send_response(answer.status_code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names of the base class

        def log_message(self, *_: object) -> None:
            """Nothing: a test's output is about the test."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 128  # each refresh asks for much at once

    with Server(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            addresses = {f"PAGEPULSE_{name}_URL": f"http://127.0.0.1:{server.server_port}" for name in _PARTS}
            with streamlit_server(["services.dashboard"], "PAGEPULSE_PORT", addresses | _PATIENT) as url:
                made = Imitation(url, services, pinot)
                made.reset()
                yield made
        finally:
            server.shutdown()
