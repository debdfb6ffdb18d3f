from __future__ import annotations

from typing import Any

import orjson
import pytest

from services.ksql.errors import FunctionError
from services.ksql.functions.definitions import Aggregator
from services.ksql.functions.registry import literal_count, resolve_aggregate
from services.ksql.model.types import BIGINT, BOOLEAN, DOUBLE, INTEGER, STRING, SqlType, array_of


def make(name: str, kind: SqlType | None, *literals: Any, properties: dict[str, str] | None = None) -> Aggregator:
    return resolve_aggregate(name, [] if kind is None else [kind], literals).create(literals, properties)


def over(aggregate: Aggregator, values: list[Any]) -> Any:
    state = aggregate.initial()
    for value in values:
        state = aggregate.add(state, value)
        state = aggregate.decode(orjson.loads(orjson.dumps(aggregate.encode(state))))
    return aggregate.result(state)


@pytest.mark.parametrize(
    ("name", "kind", "literals", "values", "expected"),
    [
        ("COUNT", STRING, (), ["a", None, "a"], 2),
        ("COUNT_DISTINCT", STRING, (), ["a", None, "a", "b"], 2),
        ("COUNT_DISTINCT", INTEGER, (), [1, -1, 1, None], 2),
        ("COUNT_DISTINCT", BIGINT, (), [2**62, -(2**62), 2**62], 2),
        ("COUNT_DISTINCT", DOUBLE, (), [1.5, 1.5], 1),
        ("SUM", INTEGER, (), [2**31 - 1, 1], -(2**31)),
        ("SUM", BIGINT, (), [1, None, 2], 3),
        ("SUM", DOUBLE, (), [], 0.0),
        ("AVG", INTEGER, (), [1, 2, None], 1.5),
        ("AVG", INTEGER, (), [None], 0.0),
        ("MIN", STRING, (), ["b", "a", None], "a"),
        ("MAX", BIGINT, (), [None], None),
        ("LATEST_BY_OFFSET", INTEGER, (), [1, 2, None], 2),
        ("LATEST_BY_OFFSET", INTEGER, (False,), [1, 2, None], None),
        ("LATEST_BY_OFFSET", INTEGER, (2,), [1, 2, None, 3], [2, 3]),
        ("EARLIEST_BY_OFFSET", INTEGER, (2, False), [None, 2, 3], [None, 2]),
        ("EARLIEST_BY_OFFSET", STRING, (), [None, "a", "b"], "a"),
        ("COLLECT_LIST", STRING, (), ["a", None, "a"], ["a", None, "a"]),
        ("COLLECT_SET", STRING, (), ["a", None, "a"], ["a", None]),
        ("TOPK", INTEGER, (2,), [1, 3, None, 3, 2], [3, 3]),
        ("TOPKDISTINCT", INTEGER, (2,), [1, 3, 3, 2], [3, 2]),
        ("STDDEV_SAMPLE", INTEGER, (), [1, 2, 3, 4], 1.2909944487358056),
        ("STDDEV_SAMP", INTEGER, (), [1, 2, 3, 4], 1.6666666666666667),
    ],
)
def test_an_aggregate_gives(
    name: str, kind: SqlType, literals: tuple[Any, ...], values: list[Any], expected: Any
) -> None:
    assert over(make(name, kind, *literals), values) == expected


def test_count_of_rows() -> None:
    count = make("COUNT", None)
    assert count.add(count.add(count.initial())) == 2


@pytest.mark.parametrize("name", ["COUNT", "SUM", "AVG", "COLLECT_LIST"])
def test_undo_takes_a_value_back(name: str) -> None:
    aggregate = make(name, INTEGER)
    state = aggregate.initial()
    for value in (5, 7, 5):
        state = aggregate.add(state, value)
    state = aggregate.undo(state, 5)
    assert aggregate.result(state) == {"COUNT": 2, "SUM": 12, "AVG": 6.0, "COLLECT_LIST": [5, 7]}[name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("COUNT", 3),
        ("COUNT_DISTINCT", 3),
        ("SUM", 8),
        ("MIN", 1),
        ("MAX", 4),
        ("EARLIEST_BY_OFFSET", 3),
        ("LATEST_BY_OFFSET", 4),
        ("COLLECT_LIST", [3, 4, 1]),
    ],
)
def test_sessions_merge(name: str, expected: Any) -> None:
    aggregate = make(name, INTEGER)
    one, two = aggregate.initial(), aggregate.initial()
    one = aggregate.add(one, 3)
    two = aggregate.add(two, 1)
    one = aggregate.add(one, 4)
    if name in ("EARLIEST_BY_OFFSET", "LATEST_BY_OFFSET"):
        assert aggregate.result(aggregate.merge(two, one)) == expected
    else:
        assert aggregate.result(aggregate.merge(one, two)) == expected


def test_types_and_constants() -> None:
    assert resolve_aggregate("TOPK", [INTEGER], [3]).return_type == array_of(INTEGER)
    assert (
        str(resolve_aggregate("TOPK", [INTEGER, STRING], [3]).return_type)
        == "ARRAY<STRUCT<`sort_col` INTEGER, `col0` STRING>>"
    )
    assert literal_count("EARLIEST_BY_OFFSET", 3) == 2
    assert literal_count("COUNT", 1) == 0
    assert resolve_aggregate("COUNT", [BOOLEAN]).supports_table
    assert not resolve_aggregate("MAX", [INTEGER]).supports_table
    with pytest.raises(FunctionError, match="SUM"):
        resolve_aggregate("SUM", [STRING])


def test_a_number_of_values_below_one_is_refused() -> None:
    with pytest.raises(FunctionError, match="latestN must be 1 or greater"):
        resolve_aggregate("LATEST_BY_OFFSET", [INTEGER], [0])


def test_a_limit_from_the_properties() -> None:
    collect = make("COLLECT_LIST", INTEGER, properties={"ksql.functions.collect_list.limit": "1"})
    assert over(collect, [1, 2]) == [1]
