"""Recordings of a real ksqlDB 8.1.1 (tests/data/ksqldb-8.1.1): statements, every input, every update, REST transcripts."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "data" / "ksqldb-8.1.1"


def text(name: str) -> str:
    """A file by its name before compression, e.g. ``rest.jsonl``."""
    return lzma.decompress((FOLDER / f"{name}.xz").read_bytes()).decode()


def lines(name: str) -> list[Any]:
    """The objects of a .jsonl file."""
    return [json.loads(line) for line in text(name).splitlines()]


def document(name: str) -> Any:
    """A .json file."""
    return json.loads(text(name))
