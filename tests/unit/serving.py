"""Serves an application on a free port of this machine, from a thread, as a service is served: for tools that need a real server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from shared.server import options
from tests.patience import eventually_blocking


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """Yields the base URL."""
    bounds = options(app.state.settings) | {"log_level": "warning", "timeout_graceful_shutdown": 2}
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, **bounds))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:

        def started() -> bool:
            assert thread.is_alive(), "the server did not start"
            return server.started

        eventually_blocking(started, "the server's start", every_s=0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
