"""Three brokers of a benchmark's own, in a folder and on ports of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[1]
#: beside a stack on the usual ports
OFFSET: Final = 5_000
_KAFKA_PORTS: Final = (19092, 19292, 19392)


@contextmanager
def brokers() -> Iterator[str]:
    """Three brokers, started and stopped; gives their bootstrap addresses. PAGEPULSE_BENCH_KAFKA uses others instead."""
    given = os.environ.get("PAGEPULSE_BENCH_KAFKA")
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="pagepulse-bench-") as folder:
        place = ("--dir", folder)
        start = ("up", "--detach", "--no-demo", "--only", "kafka1,kafka2,kafka3", "--port-offset", str(OFFSET), *place)
        try:
            subprocess.run([sys.executable, "-m", "deploy.local", *start], cwd=_ROOT, check=True)
            yield ",".join(f"127.0.0.1:{port + OFFSET}" for port in _KAFKA_PORTS)
        finally:
            subprocess.run([sys.executable, "-m", "deploy.local", "down", *place], cwd=_ROOT, check=False)
