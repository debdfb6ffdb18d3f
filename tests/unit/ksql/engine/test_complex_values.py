"""STRUCT, ARRAY, MAP and DECIMAL from statements to records: expressions, keys, table functions, aggregates, and what is kept of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest

from services.ksql.engine.column_batch import objects
from services.ksql.engine.state import decode_key, encode_key, pack, unpack
from services.ksql.errors import KsqlError
from services.ksql.model.types import in_key
from services.ksql.testing import Topology

_INPUT = """CREATE STREAM S (ID INT KEY, L ARRAY<INT>, M MAP<STRING, INT>, D DECIMAL(5, 2), N DOUBLE, T STRING,
    A STRUCT<CITY STRING, `zip` STRUCT<CODE INT>>) WITH (kafka_topic='s', key_format='JSON', value_format='JSON', partitions=1);"""


def results(statements: str, *values: dict[str, Any], topic: str = "OUT") -> list[Any]:
    """What a query's topic holds after these values of S."""
    topology = Topology()
    topology.execute(_INPUT + statements)
    for number, value in enumerate(values):
        topology.pipe("s", orjson.dumps(number), orjson.dumps(value), timestamp=number)
    return [None if out.value is None else orjson.loads(out.value) for out in topology.outputs[topic]]


def one(expression: str, value: dict[str, Any]) -> Any:
    """The value of an expression over one row of S."""
    (row,) = results(f"CREATE STREAM OUT AS SELECT ID, {expression} AS X FROM S;", value)
    return row["X"]


_ROW = {
    "L": [1, None, 3],
    "M": {"b": 2, "a": 1, "n": None},
    "D": 12.50,
    "N": 0.5,
    "T": "x",
    "A": {"city": "Bonn", "zip": {"CODE": 53111}},
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("A->CITY", "Bonn"),
        ("A->`zip`->CODE + 1", 53112),
        ("L[1]", 1),
        ("L[-1]", 3),
        ("L[0]", None),
        ("L[4]", None),
        ("M['a']", 1),
        ("M['z']", None),
        ("D * 2", 25.00),
        ("D / 3", None),
        ("D / 4", 3.125),
        ("D + N", 13.0),
        ("CAST(D AS INT)", 12),
        ("CAST(D AS DECIMAL(5, 1))", 12.5),
        ("CAST('1.005' AS DECIMAL(3, 2))", 1.01),
        ("CAST(D AS STRING)", "12.50"),
        ("CAST(A AS STRING)", "Struct{CITY=Bonn,zip=Struct{CODE=53111}}"),
        ("CAST(L AS STRING)", "[1, null, 3]"),
        ("CAST(L AS ARRAY<STRING>)", ["1", None, "3"]),
        ("CAST(M AS MAP<STRING, DOUBLE>)", {"b": 2.0, "a": 1.0, "n": None}),
        ("CAST(A AS STRUCT<CITY STRING, MORE INT>)", {"CITY": "Bonn", "MORE": None}),
        ("ARRAY[1, 2.5, '3']", [1.0, 2.5, 3.0]),
        ("ARRAY[L[1], CAST('no' AS INT)]", [1, None]),
        ("MAP('k' := L, 'l' := ARRAY[7])", {"k": [1, None, 3], "l": [7]}),
        ("STRUCT(A := 1, B := A->CITY)", {"A": 1, "B": "Bonn"}),
        ("A = STRUCT(CITY := 'Bonn', `zip` := STRUCT(CODE := 53111))", True),
        ("TRANSFORM(ARRAY[1, 2], x => x * 2 + ID)", [2, 4]),
        ("TRANSFORM(L, x => x + 1)", None),
        ("TRANSFORM(M, (k, v) => UCASE(k), (k, v) => COALESCE(v, 0))", {"A": 1, "B": 2, "N": 0}),
        ("FILTER(L, x => x IS NOT NULL)", [1, 3]),
        ("REDUCE(ARRAY[ARRAY[1, 2], ARRAY[3]], 0, (s, x) => s + REDUCE(x, 0, (t, y) => t + y * s + y))", 15),
        ("IFNULL(CAST('no' AS INT), -1)", -1),
        ("TO_JSON_STRING(A)", '{"CITY":"Bonn","zip":{"CODE":53111}}'),
        ("MAP_KEYS(M)", ["a", "b", "n"]),
        ("ENTRIES(MAP('b' := 1, 'a' := 2), true)", [{"K": "a", "V": 2}, {"K": "b", "V": 1}]),
        ("ROUND(D, 0)", 13.0),
        ("ROUND(-D, 0)", -12.0),
        ("ABS(-D)", 12.5),
        ("N IN (D, 0.5)", True),
        ("GREATEST(D, 13.5)", 13.5),
        ("GENERATE_SERIES(1, 3)", [1, 2, 3]),
        # what grows with its input has a bound
        ("LEN(REDUCE(GENERATE_SERIES(1, 40), 'x', (s, x) => CONCAT(s, s)))", None),
        ("REDUCE(GENERATE_SERIES(1, 40), ARRAY[1], (s, x) => ARRAY_CONCAT(s, s))", None),
        ("GENERATE_SERIES(1, 2000000000)", None),
    ],
)
def test_expressions(expression: str, expected: Any) -> None:
    assert one(expression, _ROW) == expected


def test_a_decimal_keeps_its_digits_in_json() -> None:
    topology = Topology()
    topology.execute(_INPUT + "CREATE STREAM OUT AS SELECT ID, D FROM S;")
    for text in (b'{"D":10}', b'{"D":"1.5"}', b'{"D":1.555}', b'{"D":1000}'):
        topology.pipe("s", b"1", text)
    assert [out.value for out in topology.outputs["OUT"]] == [b'{"D":10.00}', b'{"D":1.50}']


def test_structs_and_arrays_are_keys() -> None:
    rows = [{"L": [1], "A": {"CITY": "Bonn"}}, {"L": [1], "A": {"CITY": "Bonn"}}, {"L": [2], "A": {"CITY": "Ulm"}}]
    topology = Topology()
    topology.execute(
        _INPUT
        + """CREATE TABLE OUT WITH (key_format='JSON') AS SELECT A, L, COUNT(*) AS C FROM S GROUP BY A, L;
        CREATE STREAM BY_A WITH (key_format='JSON') AS SELECT * FROM S PARTITION BY A;
        CREATE TABLE AGAIN AS SELECT A, COUNT(*) AS C FROM BY_A GROUP BY A;"""
    )
    for number, row in enumerate(rows):
        topology.pipe("s", orjson.dumps(number), orjson.dumps(row))
    counted = [(orjson.loads(out.key or b""), orjson.loads(out.value or b"")) for out in topology.outputs["OUT"]]
    bonn = {"A": {"CITY": "Bonn", "zip": None}, "L": [1]}
    assert counted[:2] == [(bonn, {"C": 1}), (bonn, {"C": 2})]
    assert [orjson.loads(out.value or b"")["C"] for out in topology.outputs["AGAIN"]] == [1, 2, 1]


def test_a_map_is_no_key() -> None:
    with pytest.raises(KsqlError, match="Map keys, including types that contain maps, are not supported"):
        results("CREATE STREAM OUT WITH (key_format='JSON') AS SELECT * FROM S PARTITION BY M;")


def test_table_functions_go_side_by_side() -> None:
    rows = results(
        "CREATE STREAM OUT AS SELECT ID, EXPLODE(L) AS X, EXPLODE(ARRAY['a', 'b']) AS Y, T FROM S WHERE T <> 'no';",
        {"L": [1, 2, 3], "T": "t"},
        {"L": [1], "T": "no"},
        {"L": None, "T": "u"},
    )
    assert [(r["X"], r["Y"], r["T"]) for r in rows] == [
        (1, "a", "t"),
        (2, "b", "t"),
        (3, None, "t"),
        (None, "a", "u"),
        (None, "b", "u"),
    ]
    assert results("CREATE STREAM OUT AS SELECT ID, CUBE_EXPLODE(L) AS X FROM S;", {"L": [1, None]}) == [
        {"X": [None, None]},
        {"X": [1, None]},
    ]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT ID, EXPLODE(EXPLODE(ARRAY[ARRAY[1]])) FROM S", "can not be nested"),
        ("SELECT ID, COUNT(*), EXPLODE(L) FROM S GROUP BY ID", "cannot be used with aggregations"),
        ("SELECT ID, T FROM S WHERE EXPLODE(L) = 1", "only allowed in the SELECT"),
        ("SELECT ID, A->NONE FROM S", "Could not find field 'NONE'"),
        ("SELECT ID, T->X FROM S", "Expected STRUCT type"),
        ("SELECT ID, T[1] FROM S", "Subscript access is not supported on type STRING"),
        ("SELECT ID, ARRAY[1, TRUE] FROM S", "operator does not exist"),
        ("SELECT ID, ARRAY[NULL] FROM S", "all NULL elements"),
        ("SELECT ID, TRANSFORM(L, (x, y) => x) FROM S", "does not accept parameters"),
        ("SELECT ID, CAST(L AS INT) FROM S", "is not supported"),
        ("SELECT ID, CAST(L AS NOBODY) FROM S", "Cannot resolve unknown type: NOBODY"),
    ],
)
def test_what_cannot_be_is_refused(query: str, message: str) -> None:
    with pytest.raises(KsqlError) as error:
        results(f"CREATE STREAM OUT AS {query};")
    assert message in error.value.message


def test_all_fields_of_a_struct() -> None:
    assert results("CREATE STREAM OUT AS SELECT ID, A->* FROM S;", _ROW) == [{"CITY": "Bonn", "zip": {"CODE": 53111}}]


def test_named_types() -> None:
    topology = Topology()
    topology.execute(
        """CREATE TYPE place AS STRUCT<CITY STRING>; CREATE TYPE IF NOT EXISTS place AS INT; CREATE TYPE places AS ARRAY<place>;
        CREATE STREAM P (L places) WITH (kafka_topic='p', value_format='JSON', partitions=1);
        DROP TYPE place; CREATE STREAM OUT AS SELECT CAST(L AS places) AS L, L[1]->CITY AS C FROM P;"""
    )
    topology.pipe("p", None, b'{"L":[{"CITY":"Bonn"}]}')
    assert [out.value for out in topology.outputs["OUT"]] == [b'{"L":[{"CITY":"Bonn"}],"C":"Bonn"}']
    with pytest.raises(KsqlError, match="Type PLACE does not exist"):
        topology.execute("DROP TYPE place;")
    with pytest.raises(KsqlError, match="already registered"):
        topology.execute("CREATE TYPE places AS INT;")


def test_headers() -> None:
    topology = Topology()
    topology.execute(
        """CREATE STREAM H (V INT, H ARRAY<STRUCT<KEY STRING, VALUE BYTES>> HEADERS)
        WITH (kafka_topic='h', value_format='JSON', partitions=1);
        CREATE STREAM OUT AS SELECT V, H[1]->KEY AS K, FROM_BYTES(H[1]->VALUE, 'utf8') AS X FROM H;"""
    )
    topology.pipe("h", None, b'{"V":1}', headers=(("who", b"me"),))
    topology.pipe("h", None, b'{"V":2}')
    assert [out.value for out in topology.outputs["OUT"]] == [
        b'{"V":1,"K":"who","X":"me"}',
        b'{"V":2,"K":null,"X":null}',
    ]


def test_aggregates_over_complex_values() -> None:
    rows = results(
        """CREATE TABLE OUT AS SELECT T, COLLECT_SET(L) AS L, LATEST_BY_OFFSET(A) AS A, SUM(D) AS D, COUNT_DISTINCT(A) AS C,
        HISTOGRAM(A->CITY) AS H, ATTR(L) AS O, TOPK(D, 1) AS K, TOPK(D, A, L, T, 1) AS R FROM S GROUP BY T;""",
        {"T": "t", "L": [1], "D": 1.25, "A": {"CITY": "Bonn"}},
        {"T": "t", "L": [1], "D": 2.5, "A": {"CITY": "Ulm"}},
    )
    assert rows[-1] == {
        "L": [[1]],
        "A": {"CITY": "Ulm", "zip": None},
        "D": 3.75,
        "C": 2,
        "H": {"Bonn": 1, "Ulm": 1},
        "O": [1],
        "K": [2.5],
        "R": [{"sort_col": 2.5, "col0": {"CITY": "Ulm", "zip": None}, "col1": [1], "col2": "t"}],
    }


@pytest.mark.parametrize(
    "value",
    [
        [1, [2, None]],
        {"a": [b"x"], "b": {"c": Decimal("1.50")}},
        {1: "x", None: "y"},
        {"b": 1},
        Decimal("-0.10"),
        (1, "a", [Decimal(3)]),
    ],
)
def test_state_keeps_values_and_their_kinds(value: Any) -> None:
    again = unpack(orjson.loads(orjson.dumps(pack(value))))
    assert again == value
    assert isinstance(again, tuple) == isinstance(value, tuple)
    if isinstance(value, tuple):
        return
    key = (in_key(value), 1)
    assert decode_key(encode_key(key)) == key
    assert {decode_key(encode_key(key)): 1}[key] == 1


def test_lists_are_values_of_a_column() -> None:
    assert objects([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
