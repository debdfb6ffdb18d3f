from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from services.ksql import testing as ksql

STREAM = "CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='t', value_format='JSON');"
COUNT = "CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;"


def test_rows_of_a_topic_and_of_a_table() -> None:
    with ksql.topology(STREAM + COUNT) as t:
        t.pipe("t", "a", {"v": 1}, timestamp=10)
        t.pipe("t", "a", {"v": 2}, timestamp=20)
        t.pipe("t", "b", {"v": 3}, timestamp=15)
        assert t.rows("C") == [
            ksql.Row("a", {"N": 1}, 10),
            ksql.Row("a", {"N": 2}, 20),
            ksql.Row("b", {"N": 1}, 15),
        ]
        assert t.rows("c") == t.rows("C")
        assert [row.value for row in t.records("t")] == [{"v": 1}, {"v": 2}, {"v": 3}]
        assert t.rows("t") == []
        assert sorted(t.table("c"), key=str) == [{"K": "a", "N": 2}, {"K": "b", "N": 1}]
        assert t.query("SELECT n FROM c WHERE k = 'a'") == [{"N": 2}]
        assert t.query("SELECT v * 2 AS w FROM s WHERE v > 1 EMIT CHANGES;") == [{"W": 4}, {"W": 6}]
        assert t.stream_time == 20


def test_a_column_added_later_is_read_by_queries_made_later() -> None:
    with ksql.topology(STREAM + "ALTER STREAM s ADD COLUMN w INT; CREATE STREAM o AS SELECT * FROM s;") as t:
        t.pipe("t", "a", {"v": 1, "w": 2}, timestamp=10)
        assert t.rows("O") == [ksql.Row("a", {"V": 1, "W": 2}, 10)]


def test_time_is_under_control() -> None:
    with ksql.topology(STREAM + "CREATE STREAM o AS SELECT k, v FROM s;", now=1000) as t:
        t.pipe("t", "a", {"v": 1})
        t.advance(timedelta(seconds=2))
        t.pipe("t", "a", {"v": 2})
        t.advance(5)
        t.pipe("t", "a", {"v": 3}, timestamp=datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
        t.execute("INSERT INTO s (k, v) VALUES ('a', 4);")
        assert [row.timestamp for row in t.rows("O")] == [1000, 3000, 1000, 3005]
        with pytest.raises(ValueError, match="time zone"):
            t.pipe("t", "a", {"v": 1}, timestamp=datetime(2020, 1, 1))
        with pytest.raises(ValueError, match="back"):
            t.advance(-1)


def test_a_window_closes_by_stream_time() -> None:
    windowed = (
        "CREATE TABLE w AS SELECT k, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 0 SECONDS) "
        "GROUP BY k EMIT FINAL;"
    )
    with ksql.topology(STREAM + windowed) as t:
        t.pipe("t", "a", {"v": 1}, timestamp=1_000)
        assert t.rows("W") == []
        t.pipe("t", "b", {"v": 1}, timestamp=12_000)
        assert t.rows("W") == [ksql.Row("a", {"N": 1}, 1_000, (0, 10_000))]


def test_formats_headers_and_partitions() -> None:
    text = (
        "CREATE STREAM d (k INT KEY, a STRING, b DOUBLE) WITH (kafka_topic='d', value_format='DELIMITED');"
        "CREATE STREAM o WITH (value_format='JSON') AS SELECT k, a, b, ROWPARTITION AS p FROM d;"
    )
    with ksql.topology(text, partitions=4) as t:
        t.pipe("d", 1, "x,1.5", partition=3, headers={"h": b"1"})
        t.pipe("d", 2, {"a": "y", "b": 2.5}, partition=0)
        t.pipe("d", 3, ["z", 3.5], partition=0)
        t.pipe("d", 4, b"w,4.5", partition=0)
        assert [row.value for row in t.rows("O")] == [
            {"A": "x", "B": 1.5, "P": 3},
            {"A": "y", "B": 2.5, "P": 0},
            {"A": "z", "B": 3.5, "P": 0},
            {"A": "w", "B": 4.5, "P": 0},
        ]
        assert t.records("d")[0].headers == (("h", b"1"),)
        with pytest.raises(ValueError, match="partition 4 of 4"):
            t.pipe("d", 1, "x,1", partition=4)


def test_json_keeps_the_digits_of_a_decimal() -> None:
    with ksql.topology("CREATE STREAM s (v STRING) WITH (kafka_topic='t', value_format='JSON');") as t:
        t.pipe("t", None, {"v": Decimal("12.50")})
        assert t.records("t")[0].raw_value == b'{"v":12.50}'


def test_a_query_reads_from_the_beginning_and_a_paused_one_catches_up() -> None:
    with ksql.topology(STREAM) as t:
        t.pipe("t", "a", {"v": 1})
        t.execute(COUNT)
        assert t.table("c") == [{"K": "a", "N": 1}]
        (name,) = t.queries
        t.execute(f"PAUSE {name};")
        t.pipe("t", "a", {"v": 2})
        assert t.table("c") == [{"K": "a", "N": 1}]
        t.execute(f"RESUME {name};")
        assert t.table("c") == [{"K": "a", "N": 2}]
        t.execute(f"TERMINATE {name};")
        with pytest.raises(ksql.KsqlError, match="queryable"):
            t.table("c")


def test_variables_and_properties_last() -> None:
    with ksql.topology("DEFINE topic = 't';" + STREAM.replace("'t'", "'${topic}'")) as t:
        t.execute("CREATE STREAM o WITH (kafka_topic='${topic}_out') AS SELECT k, v FROM s;")
        t.pipe("t", "a", {"v": 1})
        assert len(t.rows("t_out")) == 1


def test_errors_say_what_to_do() -> None:
    with ksql.topology(STREAM) as t:
        with pytest.raises(ksql.KsqlError, match="Topics with one: t"):
            t.pipe("x", "a", {"v": 1})
        with pytest.raises(ksql.KsqlError, match=r"query\(\) gives its rows"):
            t.execute("SELECT * FROM s EMIT CHANGES;")
        with pytest.raises(ksql.KsqlError, match=r"execute\(\) runs"):
            t.query(COUNT)
    with pytest.raises(ksql.KsqlError), ksql.topology("CREATE STREAM o AS SELECT * FROM missing;"):
        pass


def test_functions_read_the_clock_of_the_topology() -> None:
    day = 86_400_000
    with ksql.topology(STREAM, now=3 * day) as t, ksql.topology(STREAM) as other:
        for each in (t, other):
            each.execute("CREATE STREAM o AS SELECT k, UNIX_TIMESTAMP() AS ms, UNIX_DATE() AS day FROM s;")
            each.pipe("t", "a", {"v": 1})
        t.advance(timedelta(hours=25))
        t.pipe("t", "a", {"v": 2})
        assert [(row.timestamp, row.value) for row in t.rows("O")] == [
            (3 * day, {"MS": 3 * day, "DAY": 3}),
            (4 * day + 3_600_000, {"MS": 4 * day + 3_600_000, "DAY": 4}),
        ]
        assert other.rows("O")[0].value == {"MS": 0, "DAY": 0}
        assert t.query("SELECT UNIX_TIMESTAMP() AS now FROM s EMIT CHANGES LIMIT 1;") == [{"NOW": t.now}]
        t.execute("INSERT INTO s (k, v) VALUES ('b', 7);")
        assert t.records("s")[-1].timestamp == t.now


def test_the_engine_and_two_packages_are_all_that_is_imported() -> None:
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from services.ksql import testing as ksql\n"
        f"with ksql.topology({STREAM + COUNT!r}) as t: t.pipe('t', 'a', {{'v': 1}}); assert t.table('c')\n"
        "import services.ksql.testing.files\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = done.stdout.split()
    packages = {
        name.split(".")[0] for name in imported if not name.startswith(("_", "cython_runtime"))
    } - sys.stdlib_module_names
    assert packages <= {"orjson", "pyroaring", "services", "shared"}
    # numpy, the parser generator and the server cost more than all the rest; asyncio is the standard library's largest part
    assert not {"asyncio", "multiprocessing", "ssl", "unittest"} & set(imported)
    assert {name.split(".")[1] for name in imported if name.startswith("services.")} == {"ksql"}
