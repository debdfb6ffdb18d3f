"""How long a test goes on: bounded in ``make test``, long in ``make drill``."""

from __future__ import annotations

import os

DRILL = os.environ.get("PAGEPULSE_DRILL") == "1"


def bound(normal: int, long: int) -> int:
    """``normal``, or ``long`` where PAGEPULSE_DRILL=1."""
    return long if DRILL else normal
