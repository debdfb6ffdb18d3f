"""What each kind of join emits, and when."""

from __future__ import annotations

import json
from typing import Any

from services.ksql.testing import Topology

_SOURCES = """
CREATE STREAM a (k STRING KEY, v INT) WITH (kafka_topic='a', value_format='JSON');
CREATE STREAM b (k STRING KEY, w INT) WITH (kafka_topic='b', value_format='JSON');
CREATE TABLE t (k STRING PRIMARY KEY, w INT, f STRING) WITH (kafka_topic='t', value_format='JSON');
CREATE TABLE u (k STRING PRIMARY KEY, x INT) WITH (kafka_topic='u', value_format='JSON');
"""


def outputs(sql: str, *inputs: tuple[str, str | None, Any, int]) -> list[tuple[str | None, Any, int]]:
    topology = Topology()
    topology.execute(_SOURCES)
    topology.execute(sql)
    for topic, key, value, t in inputs:
        data = None if value is None else json.dumps(value).encode()
        topology.pipe(topic, None if key is None else key.encode(), data, timestamp=t)
    return [
        (
            None if out.key is None else out.key.decode(),
            None if out.value is None else tuple(json.loads(out.value).values()),
            out.timestamp,
        )
        for out in topology.outputs["O"]
    ]


def test_a_stream_sees_the_table_as_it_is() -> None:
    got = outputs(
        "CREATE STREAM o AS SELECT a.k AS k, v, w FROM a JOIN t ON a.k = t.k;",
        ("a", "1", {"v": 1}, 5),
        ("t", "1", {"w": 10}, 9),
        ("a", "1", {"v": 2}, 6),
        ("t", "1", {"w": 20}, 1),
        ("a", "1", {"v": 3}, 7),
        ("t", "1", None, 8),
        ("a", "1", {"v": 4}, 8),
        ("a", None, {"v": 5}, 9),
    )
    assert got == [("1", (2, 10), 6), ("1", (3, 20), 7)]


def test_a_left_join_with_a_table_keeps_every_row() -> None:
    got = outputs(
        "CREATE STREAM o AS SELECT a.k AS k, v, w FROM a LEFT JOIN t ON a.k = t.k;",
        ("a", "1", {"v": 1}, 5),
        ("a", None, {"v": 5}, 9),
    )
    assert got == [("1", (1, None), 5), (None, (5, None), 9)]


def test_streams_meet_within_the_window_and_take_the_later_time() -> None:
    got = outputs(
        "CREATE STREAM o AS SELECT a.k AS k, v, w FROM a JOIN b WITHIN 10 MILLISECONDS ON a.k = b.k;",
        ("a", "1", {"v": 1}, 100),
        ("b", "1", {"w": 10}, 110),
        ("b", "1", {"w": 11}, 111),
        ("b", "2", {"w": 12}, 100),
        ("a", "1", {"v": 2}, 105),
    )
    assert got == [("1", (1, 10), 110), ("1", (2, 10), 110), ("1", (2, 11), 111)]


def test_a_row_without_a_partner_waits_for_its_grace() -> None:
    sql = "CREATE STREAM o AS SELECT a.k AS k, v, w FROM a LEFT JOIN b WITHIN 10 MILLISECONDS GRACE PERIOD 5 MILLISECONDS ON a.k = b.k;"
    got = outputs(
        sql,
        ("a", "1", {"v": 1}, 100),
        ("a", "2", {"v": 2}, 101),
        ("b", "2", {"w": 20}, 105),
        ("a", "3", {"v": 3}, 115),
        ("a", "4", {"v": 4}, 116),
        ("b", "1", {"w": 10}, 109),
    )
    assert got == [("2", (2, 20), 105), ("1", (1, None), 100), ("1", (1, 10), 109)]


def test_without_a_grace_it_comes_at_once() -> None:
    got = outputs(
        "CREATE STREAM o AS SELECT a.k AS k, v, w FROM a LEFT JOIN b WITHIN 10 MILLISECONDS ON a.k = b.k;",
        ("a", "1", {"v": 1}, 100),
        ("b", "1", {"w": 10}, 105),
    )
    assert got == [("1", (1, None), 100), ("1", (1, 10), 105)]


def test_tables_by_primary_key() -> None:
    inputs = (
        ("t", "1", {"w": 1}, 1),
        ("u", "1", {"x": 5}, 2),
        ("t", "1", {"w": 2}, 1),
        ("u", "1", None, 3),
        ("t", "1", None, 4),
    )
    inner = outputs("CREATE TABLE o AS SELECT t.k AS k, w, x FROM t JOIN u ON t.k = u.k;", *inputs)
    assert inner == [("1", (1, 5), 2), ("1", (2, 5), 2), ("1", None, 3)]
    left = outputs("CREATE TABLE o AS SELECT t.k AS k, w, x FROM t LEFT JOIN u ON t.k = u.k;", *inputs)
    assert left == [("1", (1, None), 1), ("1", (1, 5), 2), ("1", (2, 5), 2), ("1", (2, None), 3), ("1", None, 4)]


def test_tables_by_foreign_key() -> None:
    got = outputs(
        "CREATE TABLE o AS SELECT t.k AS k, w, x FROM t JOIN u ON t.f = u.k;",
        ("t", "1", {"w": 1, "f": "a"}, 1),
        ("t", "2", {"w": 2, "f": "a"}, 1),
        ("u", "a", {"x": 5}, 3),
        ("t", "1", {"w": 3, "f": "b"}, 4),
        ("u", "a", None, 5),
        ("u", "b", {"x": 6}, 2),
        ("t", "1", None, 3),
    )
    assert got == [
        ("1", (1, 5), 3),
        ("2", (2, 5), 3),
        ("1", None, 4),
        ("2", None, 5),
        ("1", (3, 6), 4),
        ("1", None, 3),
    ]


def test_the_rows_of_a_foreign_key_change_in_the_order_of_their_keys() -> None:
    got = outputs(
        "CREATE TABLE o AS SELECT t.k AS k, w, x FROM t JOIN u ON t.f = u.k;",
        ("t", "10", {"w": 1, "f": "a"}, 1),
        ("t", "1", {"w": 2, "f": "a"}, 1),
        ("u", "a", {"x": 5}, 3),
    )
    assert got == [("1", (2, 5), 3), ("10", (1, 5), 3)]


def test_a_table_filter_sends_a_tombstone_only_for_what_was_there() -> None:
    got = outputs(
        "CREATE TABLE o AS SELECT k, w FROM t WHERE w > 1;",
        ("t", "1", {"w": 1}, 1),
        ("t", "1", None, 2),
        ("t", "1", {"w": 2}, 3),
        ("t", "1", {"w": 0}, 4),
        ("t", "1", {"w": 0}, 5),
    )
    assert got == [("1", (2,), 3), ("1", None, 4)]


def test_a_change_of_group_emits_the_old_group_first() -> None:
    got = outputs(
        "CREATE TABLE o AS SELECT f, COUNT(*) AS c, SUM(w) AS s FROM t GROUP BY f;",
        ("t", "1", {"w": 1, "f": "a"}, 1),
        ("t", "2", {"w": 2, "f": "a"}, 2),
        ("t", "1", {"w": 5, "f": "a"}, 3),
        ("t", "1", {"w": 5, "f": "b"}, 4),
        ("t", "1", None, 5),
    )
    assert got == [
        ("a", (1, 1), 1),
        ("a", (2, 3), 2),
        ("a", (2, 7), 3),
        ("a", (1, 2), 4),
        ("b", (1, 5), 4),
        ("b", (0, 0), 5),
    ]
