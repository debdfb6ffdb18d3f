"""The table of functions in docs/ksql.md is what the registry has."""

from __future__ import annotations

from pathlib import Path

from services.ksql.functions.registry import list_functions
from tests.conformance.reference import REFERENCE, as_markdown

_DOCS = Path(__file__).parents[2] / "docs" / "ksql.md"


def test_the_table_is_of_today() -> None:
    assert as_markdown() in _DOCS.read_text(encoding="utf-8"), "run: python -m tests.conformance.reference"


def test_every_function_of_the_reference_is_here() -> None:
    assert REFERENCE - {function.name for function in list_functions()} == set()
