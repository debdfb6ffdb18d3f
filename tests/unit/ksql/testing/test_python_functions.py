from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.ksql import testing as ksql
from services.ksql.app import create_app
from services.ksql.functions import python, registry
from services.ksql.functions.definitions import AGGREGATES, SCALARS, TABLE_FUNCTIONS
from services.ksql.functions.python import load
from services.ksql.settings import Settings


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """What a test registers is gone after it."""
    registries: tuple[dict[str, Any], ...] = (SCALARS, AGGREGATES, TABLE_FUNCTIONS, python._OWN)
    before = [dict(known) for known in registries]
    yield
    for known, old in zip(registries, before, strict=True):
        known.clear()
        known.update(old)


STREAM = "CREATE STREAM s (k STRING KEY, v INT, x STRING) WITH (kafka_topic='t', value_format='JSON');"


def test_a_scalar_function() -> None:
    @ksql.udf("INTEGER, STRING -> STRING")
    def t_repeat(count: int, text: str) -> str:
        """The text, several times."""
        if count < 0:
            raise ValueError(count)
        return text * count

    with ksql.topology(STREAM + "CREATE STREAM o AS SELECT k, t_repeat(v, x) AS r FROM s;") as t:
        t.pipe("t", "a", {"v": 2, "x": "ab"})
        t.pipe("t", "a", {"v": None, "x": "ab"})
        t.pipe("t", "a", {"v": -1, "x": "ab"})
        assert [row.value["R"] for row in t.rows("O")] == ["abab", None, None]
    (listed,) = [f for f in registry.list_functions() if f.name == "T_REPEAT"]
    assert listed.description == "The text, several times."
    with (
        pytest.raises(ksql.KsqlError, match="does not accept parameters"),
        ksql.topology(STREAM + "CREATE STREAM o AS SELECT k, t_repeat(x) AS r FROM s;"),
    ):
        pass


def test_a_table_function() -> None:
    @ksql.udtf("STRING -> STRING")
    def t_words(text: str) -> list[str]:
        """A row for each word."""
        return text.split()

    with ksql.topology(STREAM + "CREATE STREAM o AS SELECT k, t_words(x) AS w FROM s;") as t:
        t.pipe("t", "a", {"x": "one two"})
        t.pipe("t", "b", {"x": None})
        assert [row.value["W"] for row in t.rows("O")] == ["one", "two"]


def test_an_aggregate_function_over_a_stream_and_a_table() -> None:
    @ksql.udaf("INTEGER -> BIGINT", name="t_total")
    class Total:
        """The sum."""

        def __init__(self) -> None:
            self.zero = 0

        def initial(self) -> int:
            return self.zero

        def add(self, state: int, value: int | None) -> int:
            return state + (value or 0)

        def undo(self, state: int, value: int | None) -> int:
            return state - (value or 0)

        def merge(self, older: int, newer: int) -> int:
            return older + newer

        def result(self, state: int) -> int:
            return state

    text = STREAM + (
        "CREATE TABLE newest AS SELECT k, LATEST_BY_OFFSET(v) AS v FROM s GROUP BY k;"
        "CREATE TABLE total AS SELECT k, t_total(v) AS n FROM s GROUP BY k;"
        "CREATE TABLE spread AS SELECT v, t_total(v) AS n FROM newest GROUP BY v;"
    )
    with ksql.topology(text) as t:
        t.pipe("t", "a", {"v": 2})
        t.pipe("t", "a", {"v": 5})
        assert t.table("total") == [{"K": "a", "N": 7}]
        assert {"V": 2, "N": 2} not in t.table("spread")
        assert {"V": 5, "N": 5} in t.table("spread")


def test_what_cannot_be_registered_says_why() -> None:
    with pytest.raises(ValueError, match="UCASE is a built-in function"):
        ksql.udf("STRING -> STRING", name="ucase")(str)
    with pytest.raises(ValueError, match="needs a signature"):
        ksql.udf(name="t_none")(str)
    with pytest.raises(ValueError, match="needs the methods initial, merge"):

        @ksql.udaf("INTEGER -> INTEGER")
        class Half:
            def add(self, state: Any, value: Any) -> Any:
                return state


def test_the_server_imports_the_modules_of_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "from services.ksql.testing import udf\n@udf('INTEGER -> INTEGER')\ndef t_plus_one(v):\n    return v + 1\n"
    (tmp_path / "own_functions.py").write_text(source)
    (tmp_path / "broken_functions.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    create_app(Settings(functions="own_functions"))
    assert registry.exists("T_PLUS_ONE")
    sys.modules.pop("own_functions")
    assert "T_PLUS_ONE" in load("own_functions")  # a second import takes the place of the first
    with pytest.raises(ValueError, match="broken_functions of functions cannot be imported: division by zero"):
        create_app(Settings(functions="broken_functions"))
