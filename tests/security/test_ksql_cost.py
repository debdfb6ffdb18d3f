"""What a short KSQL text may cost: memory and time in proportion to its length, never more."""

from __future__ import annotations

from typing import Any

import pytest

from services.ksql.engine.evaluation import like
from services.ksql.errors import KsqlError
from services.ksql.functions.registry import resolve_scalar
from services.ksql.model.types import INTEGER, STRING
from services.ksql.sql.parser import parse
from tests.unit.ksql.rest.replay import lab

#: each of these took minutes, or all memory, so a hang is ended here
pytestmark = pytest.mark.timeout(300)

N = 250_000
COSTLY = {
    "open brackets": "SELECT " + "(" * N,
    "open calls": "SELECT " + "ABS(" * (N // 4),
    "open comments": "/* " * (N // 3),
    "variables of variables": "DEFINE a0 = 'aaaaaaaaaa';"
    + "".join(f"DEFINE a{i + 1} = '{f'${{a{i}}}' * 10}';" for i in range(12))
    + "SHOW STREAMS;",
    "a long variable, often": f"DEFINE a = '{'x' * (N // 2)}'; SHOW STREAMS {'${a}' * (N // 8)};",
}


@pytest.mark.parametrize("name", COSTLY)
def test_costly_texts_are_refused_soon(name: str) -> None:
    with pytest.raises(KsqlError) as refused:
        parse(COSTLY[name])
    assert len(refused.value.message) < 1_000
    assert len(refused.value.statement) <= 2 * N


def test_a_syntax_error_after_a_refused_token_has_the_same_text() -> None:
    """The refused token closes what it can before it is found out: what was expected is what stood open before."""
    with pytest.raises(KsqlError) as refused:
        parse("SELECT ABS(1 FROM S EMIT CHANGES;")
    assert refused.value.message == "line 1:14: Syntax Error\nExpecting {',', ')'}"


async def test_deep_and_long_expressions_run() -> None:
    """Python takes 200 brackets in each other; a statement that needs more was logged, and no restart could carry it out."""
    deep = "true NOT IN (" * 90 + "b = 'x'" + ")" * 90
    texts = {
        "MANY": "CASE " + " ".join(f"WHEN a = {i} THEN {i}" for i in range(1_000)) + " ELSE -1 END",
        "NESTED": "CASE WHEN a = 1 THEN " * 45 + "a" + " END" * 45,
        "DEEP": deep,
    }
    async with lab() as ksql:
        made = "CREATE STREAM S (a INT, b STRING) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);"
        assert (await ksql.client.post("/ksql", json={"ksql": made})).status_code == 200
        for name, text in texts.items():
            answer = await ksql.client.post(
                "/ksql", json={"ksql": f"CREATE STREAM {name} AS SELECT {text} AS x FROM S;"}
            )
            assert answer.status_code == 200, (name, answer.text[:300])
        for row in ("(1, 'x')", "(999, 'x')", "(1000, 'x')"):
            await ksql.client.post("/ksql", json={"ksql": f"INSERT INTO S (a, b) VALUES {row};"})
        await ksql.quiet()
        queries = (await ksql.client.post("/ksql", json={"ksql": "SHOW QUERIES;"})).json()[0]["queries"]
        assert [query["state"] for query in queries] == ["RUNNING"] * 3
        values = {name: [r.value for r in ksql.broker.records(name)] for name in texts}
        assert values["MANY"] == [b'{"X":1}', b'{"X":999}', b'{"X":-1}']
        assert values["NESTED"] == [b'{"X":1}', b'{"X":null}', b'{"X":null}']


async def test_windows_without_length_are_refused() -> None:
    async with lab() as ksql:
        made = "CREATE STREAM S (a INT, b STRING) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1);"
        assert (await ksql.client.post("/ksql", json={"ksql": made})).status_code == 200
        window = "CREATE TABLE W AS SELECT b, COUNT(*) FROM S WINDOW TUMBLING (SIZE 0 SECONDS) GROUP BY b;"
        answer = await ksql.client.post("/ksql", json={"ksql": window})
        assert "must be larger than zero" in answer.json()["message"]


def call(name: str, *arguments: Any) -> Any:
    types = [INTEGER if isinstance(argument, int) else STRING for argument in arguments]
    return resolve_scalar(name, types).invoke(*arguments)


LONG = "a" * 1_000_000


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("LPAD", ("x", 2**31 - 1, "y")),
        ("RPAD", ("x", 2**31 - 1, "y")),
        ("REPLACE", (LONG, "a", "b" * 10_000)),
        ("REPLACE", (LONG, "", "b" * 10_000)),
        ("REGEXP_REPLACE", (LONG, "a", "b" * 10_000)),
        ("REGEXP_REPLACE", (LONG, "a", "$0" * 10_000)),
    ],
)
def test_functions_make_no_endless_texts(name: str, arguments: tuple[Any, ...]) -> None:
    """The engine makes NULL of what a function raises."""
    with pytest.raises(ValueError, match=r"a text of \d+ characters|group reference"):
        call(name, *arguments)


def test_functions_still_make_long_texts() -> None:
    assert len(call("LPAD", "x", 1_000_000, "y")) == 1_000_000
    assert call("REGEXP_REPLACE", LONG, "a+", "b" * 10) == "b" * 10
    assert call("REPLACE", LONG, "a", "bb") == "bb" * 1_000_000


def test_a_mask_is_one_character() -> None:
    assert call("MASK", "Ab1-", "XX", "yy", "nn", "--") == "Xyn-"


def test_the_search_from_the_end_ends_at_the_beginning() -> None:
    assert call("INSTR", "abc", "", -1, 2**31 - 1) == 0
    assert call("INSTR", "abcabc", "abc", -1, 2) == 1


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("a" * 20_000, "%a" * 30 + "b", False),
        ("a" * 20_000, "%a" * 30 + "%", True),
        ("abcabd", "%ab_", True),
        ("abcabd", "ab%abd", True),
        ("ab", "ab%ab", False),
        ("abab", "ab%ab", True),
        ("a%b", "a\\%b", True),
        ("axb", "a\\%b", False),
        ("", "%%", True),
        ("x\ny", "x_y", True),
        ("abc", "_%_%_%_", False),
        ("abcd", "_%_%_%_", True),
    ],
)
def test_like_takes_one_look(text: str, pattern: str, expected: bool) -> None:
    assert like(text, pattern, "\\") is expected
