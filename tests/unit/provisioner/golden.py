"""Where the recorded data of a real ksqlDB lies, and how to read it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(os.environ.get("PAGEPULSE_SHARED", Path(__file__).parents[4] / "shared"))
GOLDEN = SHARED / "golden"

needs_golden = pytest.mark.skipif(
    not GOLDEN.is_dir(), reason=f"no recorded data at {GOLDEN}; set PAGEPULSE_SHARED to the folder that has it"
)


def lines(name: str) -> list[dict[str, Any]]:
    """The objects of a .jsonl file."""
    return [json.loads(line) for line in (GOLDEN / name).read_text().splitlines()]


def document(name: str) -> Any:
    """A .json file."""
    return json.loads((GOLDEN / name).read_text())
