"""What the changelog gets: additions to sets instead of whole sets, and from a compacted topic exactly the state comes back."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from services.ksql.analysis.analyzer import Analyzer
from services.ksql.analysis.catalog import Catalog
from services.ksql.engine.operators import group_store
from services.ksql.engine.operators.group_store import MissingMembers
from services.ksql.engine.query import Query
from services.ksql.engine.records import InputRecord, TableRow
from services.ksql.engine.state import encode_key
from services.ksql.model.commands import CreateQuery
from services.ksql.model.plan import QueryPlan
from services.ksql.sql.parser import parse
from tests.drill import bound

_SOURCE = "CREATE STREAM s (k STRING KEY, i INT, b BIGINT, t STRING, g STRING) WITH (kafka_topic='s', value_format='JSON', partitions=1);"
_SELECT = (
    "CREATE TABLE o AS SELECT g, COUNT(*) AS c, COUNT_DISTINCT(i) AS di, COUNT_DISTINCT(b) AS db, COUNT_DISTINCT(t) AS dt, "
    "MAX(i) AS m FROM s "
)
QUERIES = {
    "unwindowed": f"{_SELECT} GROUP BY g;",
    "tumbling": f"{_SELECT} WINDOW TUMBLING (SIZE 20 SECONDS, RETENTION 40 SECONDS, GRACE PERIOD 20 SECONDS) GROUP BY g;",
    "session": f"{_SELECT} WINDOW SESSION (5 SECONDS, RETENTION 40 SECONDS, GRACE PERIOD 20 SECONDS) GROUP BY g;",
}
Changelog = dict[tuple[str, bytes], bytes]


def plan_of(name: str) -> QueryPlan:
    catalog = Catalog()
    for parsed in parse(_SOURCE):
        catalog.apply(Analyzer(catalog).analyze(parsed.ast))
    command = Analyzer(catalog).analyze(parse(QUERIES[name])[0].ast)
    assert isinstance(command, CreateQuery)
    return command.plan


def view(at_ms: int, number: int, group: str = "a") -> InputRecord:
    value = {"I": number, "B": number * 5_000_000_000, "T": f"user {number}", "G": group}
    return InputRecord("s", 0, 0, at_ms, b"k", json.dumps(value).encode())


def compacted(changelog: Changelog, query: Query) -> int:
    """Brings the changes of a commit into what compaction leaves; gives the bytes that were written."""
    size = 0
    for store, key, value in query.changes():
        size += len(store) + len(key) + len(value or b"")
        if value is None:
            changelog.pop((store, key), None)
        else:
            changelog[store, key] = value
    return size


def restored(name: str, changelog: Changelog, *, backwards: bool = False) -> Query:
    query = Query(plan_of(name), partitions=2, cached=True)
    for (store, key), value in sorted(changelog.items(), reverse=backwards):
        query.restore(store, key, value)
    query.restored()
    return query


def rows(query: Query) -> list[TableRow]:
    return sorted(query.scan(), key=repr)


@pytest.mark.parametrize("name", QUERIES)
@settings(max_examples=bound(25, 1_000), deadline=None)
@given(
    events=st.lists(st.tuples(st.integers(0, 90), st.integers(-3, 60), st.sampled_from("ab")), max_size=80),
    every=st.integers(1, 9),
    cut=st.integers(0, 80),
    small=st.sampled_from([0, 24, 64]),
    backwards=st.booleans(),
)
def test_what_compaction_leaves_is_the_state(
    name: str, events: Sequence[tuple[int, int, str]], every: int, cut: int, small: int, backwards: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_store, "_SMALL", small)
        patch.setattr(group_store, "_REMEMBERED", 4)
        changelog: Changelog = {}
        query = Query(plan_of(name), partitions=2, cached=True)
        for number, (second, value, group) in enumerate(events, 1):
            query.process(view(second * 1_000, value, group))
            if number % every == 0:
                query.flush()
                compacted(changelog, query)
            if number == cut:
                query.flush()
                compacted(changelog, query)
                before, query = query, restored(name, changelog, backwards=backwards)
                assert rows(query) == rows(before)
        query.flush()
        compacted(changelog, query)
        assert rows(restored(name, changelog, backwards=backwards)) == rows(query)


@pytest.mark.parametrize("name", QUERIES)
def test_one_more_in_a_large_set_is_a_small_entry(name: str) -> None:
    query, changelog = Query(plan_of(name), partitions=1, cached=True), Changelog()
    query.process_batch([view(1_000, number) for number in range(2_000)])
    query.flush()
    whole = compacted(changelog, query)
    sizes = []
    for number in range(2_000, 2_050):
        query.process(view(1_000 + number, number))
        query.flush()
        sizes.append(compacted(changelog, query))
    # whole sets now and then, once the additions weigh as much
    assert sorted(sizes)[25] < whole / 20
    assert sum(sizes) < whole * 4
    assert rows(restored(name, changelog)) == rows(query)


def test_a_session_is_an_entry_of_its_own() -> None:
    """All sessions of a key in one entry grew beyond what a broker takes as a record."""
    query, changelog = Query(plan_of("session"), partitions=1, cached=True), Changelog()
    for session in range(4):
        query.process_batch([view(session * 7_000, number) for number in range(500)])
        query.flush()
        compacted(changelog, query)
    query.process(view(21_001, 1))
    query.flush()
    assert compacted(changelog, query) < max(len(value) for value in changelog.values())
    assert len({key for store, key in changelog if store.endswith("-sessions")}) == 4
    assert rows(restored("session", changelog)) == rows(query)


def test_what_is_gone_leaves_nothing() -> None:
    for name in ("tumbling", "session"):
        query, changelog = Query(plan_of(name), partitions=1, cached=True), Changelog()
        query.process_batch([view(1_000, number) for number in range(500)])
        query.flush()
        compacted(changelog, query)
        query.process(view(900_000, 1))
        query.flush()
        compacted(changelog, query)
        assert {store for store, _ in changelog if store.endswith("-members")} == set()
        assert rows(restored(name, changelog)) == rows(query)


def test_members_that_are_missing_are_an_error() -> None:
    query, changelog = Query(plan_of("tumbling"), partitions=1, cached=True), Changelog()
    query.process_batch([view(1_000, number) for number in range(500)])
    query.flush()
    compacted(changelog, query)
    left = {(store, key): value for (store, key), value in changelog.items() if not store.endswith("-members")}
    with pytest.raises(MissingMembers, match="lacks the entries of 1 groups"):
        restored("tumbling", left)


def _earlier(numbers: range) -> list[object]:
    """The state of one group as earlier versions wrote it."""
    large = [number * 5_000_000_000 for number in numbers]
    fresh = Query(plan_of("unwindowed"), partitions=1, cached=True)
    (part,) = [store._entries._aggregates for store in fresh._stores.values() if hasattr(store, "_entries")]
    wide = base64.b64encode(part.parts[2].of(large).serialize()).decode()
    narrow = base64.b64encode(BitMap(numbers).serialize()).decode()
    return [1_500, len(numbers), narrow, wide, [f"user {n}" for n in numbers], numbers[-1]]


@pytest.mark.parametrize("name", QUERIES)
def test_entries_of_earlier_versions_are_read_and_replaced(name: str) -> None:
    known = range(3, 103)
    state = _earlier(known)
    key: object = ("a",)
    value: object = state
    if name == "tumbling":
        key = (0, ("a",))
    if name == "session":
        value = [[1_500, 1_500, state]]
    store = next(s.name for s in Query(plan_of(name), cached=True)._stores.values() if hasattr(s, "_entries"))
    changelog: Changelog = {(store, encode_key(key)): json.dumps(value).encode()}
    query = restored(name, changelog)
    query.process_batch([view(1_500, number) for number in (3, 4, 500)])
    query.flush()
    compacted(changelog, query)
    again = restored(name, changelog)
    assert rows(again) == rows(query)
    assert [list(row.values)[-5:] for row in rows(again)] == [[103, 101, 101, 101, 500]]
    if name == "session":
        assert (store, encode_key(key)) not in changelog
