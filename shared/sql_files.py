"""Statements of a service, each in a file ``sql/<name>.sql`` beside its modules."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def load_sql(package: str, name: str) -> str:
    """The statement in ``sql/<name>.sql`` of ``package``, without its comment lines."""
    text = files(package).joinpath(f"sql/{name}.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip()
