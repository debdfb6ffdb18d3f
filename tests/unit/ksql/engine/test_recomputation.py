"""Windows against a naive recomputation, with events out of order and late ones, however the input is cut."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ksql.engine.query import Query
from services.ksql.engine.records import InputRecord
from shared.partitioner import partition_for
from tests.drill import bound
from tests.unit.ksql.engine.test_durability import plan_of

_SIZE, _ADVANCE, _STEP, _GAP, _GRACE = 10_000, 4_000, 2_500, 5_000, 15_000
_PARTITIONS = 3

_COLUMNS = (
    "g, AS_VALUE(g) AS gg, WINDOWSTART AS ws, WINDOWEND AS we, COUNT(*) AS c, COUNT_DISTINCT(v) AS d, MAX(ROWTIME) AS m"
)
_WINDOWS = {
    "tumbling": f"TUMBLING (SIZE {_SIZE} MILLISECONDS, GRACE PERIOD {_GRACE} MILLISECONDS)",
    "hopping": f"HOPPING (SIZE {_SIZE} MILLISECONDS, ADVANCE BY {_ADVANCE} MILLISECONDS, GRACE PERIOD {_GRACE} MILLISECONDS)",
    "hopping in whole steps": f"HOPPING (SIZE {_SIZE} MILLISECONDS, ADVANCE BY {_STEP} MILLISECONDS, GRACE PERIOD {_GRACE} MILLISECONDS)",
    "session": f"SESSION ({_GAP} MILLISECONDS, GRACE PERIOD {_GRACE} MILLISECONDS)",
}

#: time, group, value
Event = tuple[int, str, int]
#: group, start, end -> count, distinct, greatest time
Result = dict[tuple[str, int, int], tuple[int, int, int]]


class Naive:
    """All events of each window are kept, and every answer is computed from them at the end."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.rows: dict[tuple[str, int, int], list[Event]] = {}
        self.time: dict[int, int] = {}
        self.stored: dict[int, int] = {}

    def add(self, event: Event) -> None:
        t, group, _ = event
        partition = partition_for(group.encode(), _PARTITIONS)
        now = self.time[partition] = max(self.time.get(partition, -1), t)
        if self.kind == "session":
            self._session(event, partition, now)
            return
        advance = {"tumbling": _SIZE, "hopping": _ADVANCE}.get(self.kind, _STEP)
        for start in range(0, t + 1, advance):
            if start <= t < start + _SIZE and start + _SIZE > now - _GRACE:
                self.rows.setdefault((group, start, start + _SIZE), []).append(event)

    def _session(self, event: Event, partition: int, now: int) -> None:
        t, group, _ = event
        horizon = self.stored.get(partition, -1) - _GRACE - _GAP
        near = [w for w in self.rows if w[0] == group and w[2] >= t - _GAP and w[1] <= t + _GAP and w[2] > horizon]
        start, end = min([t, *(w[1] for w in near)]), max([t, *(w[2] for w in near)])
        if end < now - _GRACE - _GAP:
            return
        self.stored[partition] = max(self.stored.get(partition, -1), end)
        joined = [e for w in near for e in self.rows.pop(w)]
        self.rows[group, start, end] = [*joined, event]

    def result(self) -> Result:
        return {
            window: (len(events), len({v for _, _, v in events}), max(t for t, _, _ in events))
            for window, events in self.rows.items()
        }


def _records(events: Sequence[Event]) -> list[InputRecord]:
    return [
        InputRecord("s", 0, offset, t, b"k", json.dumps({"V": value, "G": group}).encode())
        for offset, (t, group, value) in enumerate(events)
    ]


@st.composite
def _out_of_order(draw: st.DrawFn) -> list[Event]:
    """Time goes on, with steps back that are sometimes beyond the grace."""
    events: list[Event] = []
    now = 0
    for _ in range(draw(st.integers(0, 60))):
        now += draw(st.integers(0, 6_000))
        back = draw(st.sampled_from([0, 0, 0, 1_000, 8_000, 20_000, 40_000]))
        events.append((max(0, now - back), draw(st.sampled_from("abcd")), draw(st.integers(0, 5))))
    return events


@pytest.mark.parametrize("kind", _WINDOWS)
@settings(max_examples=bound(120, 5_000))
@given(events=_out_of_order(), cuts=st.sets(st.integers(1, 60)), cached=st.booleans())
def test_windows_equal_the_recomputation(kind: str, events: list[Event], cuts: set[int], cached: bool) -> None:
    plan = plan_of(f"CREATE TABLE o AS SELECT {_COLUMNS} FROM s WINDOW {_WINDOWS[kind]} GROUP BY g;")
    query = Query(plan, partitions=_PARTITIONS, cached=cached)
    records = _records(events)
    found: dict[bytes | None, bytes | None] = {}
    start = 0
    for end in [*sorted(c for c in cuts if c < len(records)), len(records)]:
        for out in [*query.process_batch(records[start:end]), *query.flush()]:
            found[out.key] = out.value
        start = end
    rows = [json.loads(value) for value in found.values() if value is not None]
    got = {(r["GG"], r["WS"], r["WE"]): (r["C"], r["D"], r["M"]) for r in rows}
    naive = Naive(kind)
    for event in events:
        naive.add(event)
    assert got == naive.result()
    assert len(rows) == len(got)
