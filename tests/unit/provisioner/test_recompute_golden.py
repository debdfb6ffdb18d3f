"""The auditor's recomputation against what a real ksqlDB made of the same records."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.provisioner.recompute.columns import EnrichedColumns, EventColumns, Names
from services.provisioner.recompute.compare import Handling, compare_tables
from services.provisioner.recompute.join import audit_join
from services.provisioner.recompute.sessions import Sessions
from services.provisioner.recompute.streamtime import Bounds
from services.provisioner.recompute.tables import (
    BoundsOf,
    Tables,
    add_logins,
    add_views,
    by_country,
    empty_tables,
)
from services.provisioner.recompute.users import Users
from services.provisioner.recompute.values import Event, Unreadable, read_event, read_user
from services.provisioner.recompute.windows import TimeWindows
from services.provisioner.settings import Settings
from tests.golden import document, lines

#: the recording's grace; all else are the defaults
SETTINGS = Settings(grace=timedelta(minutes=2))


def exact_bounds() -> BoundsOf:
    """For a topic of one partition in the order of its records: stream time is known."""
    newest = -1

    def bounds_of(arrival: int, partition: int, group: str, time: int) -> Bounds:
        nonlocal newest
        newest = max(newest, time)
        return Bounds(newest, newest)

    return bounds_of


class Recomputed:
    """Everything from the records of ``inputs``, whose place in the file is the order of processing."""

    def __init__(self, inputs: list[dict[str, Any]], enriched: list[dict[str, Any]]) -> None:
        names = Names()
        self.views, self.logins, self.users = EventColumns(names), EventColumns(Names()), Users()
        self.enriched = EnrichedColumns(names)
        self.skipped = 0
        for place, record in enumerate(inputs):
            value = None if record["value"] is None else record["value"].encode()
            try:
                match record["topic"]:
                    case "topic1_PageView":
                        self.views.add(read_event(value, "event_timestamp", "source"), place, 0)
                    case "topic2_UserSession":
                        event = read_event(value, "login_timestamp", "device")
                        self.logins.add(event, place, 0)
                    case _ if isinstance(record["key"], int):
                        self.users.put(record["key"], read_user(value), place)
            except Unreadable:
                self.skipped += 1
        for record in enriched:
            row = record["value"]
            self.enriched.add(Event(record["timestamp"], record["key"], row["SOURCE"]), row["AGE"], row["COUNTRY"], 0)
        self.tables: Tables = empty_tables(SETTINGS)
        add_views(self.tables, self.views, exact_bounds(), exact_bounds())
        add_logins(self.tables, self.logins, exact_bounds())
        unknown = [-1] * len(self.enriched)
        self.country = by_country(SETTINGS, self.enriched, unknown, exact_bounds())

    def table(self, name: str) -> TimeWindows | Sessions:
        table: TimeWindows | Sessions = self.country if name == "country" else getattr(self.tables, name)
        return table


@pytest.fixture(scope="module")
def recomputed() -> Recomputed:
    return Recomputed(lines("inputs.jsonl"), lines("updates/pageview_enriched.jsonl"))


@pytest.mark.parametrize(
    ("topic", "table"),
    [
        ("topic5_PageView_Country", "country"),
        ("topic6_PageView_Tumbling", "tumbling"),
        ("topic7_PageView_Hopping", "hopping"),
        ("topic8_PageView_Session", "session"),
        ("topic9_UserSession_Device", "device"),
    ],
)
def test_every_table_equals_the_recording(recomputed: Recomputed, topic: str, table: str) -> None:
    final = document("final.json")["a"][topic]
    actual = {(r["key"], r["window"]["start"]): r["value"] for r in final}
    expected = recomputed.table(table).rows()
    # ksqlDB's COUNT_DISTINCT is an estimate; with these few users it is at most one off.
    result = compare_tables(expected, actual, lambda *_: Handling.COMPARE, distinct_tolerance=1e-9)
    assert result.clean, result.examples
    assert result.equal == len(final)


def test_late_records_are_those_of_the_servers_log(recomputed: Recomputed) -> None:
    logged = lines("late.jsonl")
    tables = {"PAGEVIEW_COUNTRY": "country", "PAGEVIEW_TUMBLING": "tumbling", "USERSESSION_DEVICE": "device"}
    tables |= {"PAGEVIEW_HOPPING": "hopping", "PAGEVIEW_SESSION": "session"}
    for name, table in tables.items():
        assert recomputed.table(table).late == sum(entry["table"] == name for entry in logged), name


def test_cleaned_users_equal_the_recording(recomputed: Recomputed) -> None:
    final = document("final.json")["a"]["topic4_CleanedUsers"]
    found = {
        user: {"age": v.age, "gender": v.gender, "country": v.country, "subscription": v.subscription}
        for user, v in recomputed.users.newest().items()
    }
    assert found == {record["key"]: record["value"] for record in final}


def test_the_join_of_the_recording_is_found_right(recomputed: Recomputed) -> None:
    by_place = EventColumns(recomputed.views.groups)
    for event, place, _ in recomputed.views.in_order():
        by_place.add(Event(place, event.user, event.group), place, 0)
    # Event times differ from places in the file; the join is by place, so both sides get it.
    place_of: dict[tuple[int, int | None, str | None], list[int]] = {}
    for event, place, _ in recomputed.views.in_order():
        place_of.setdefault((event.time, event.user, event.group), []).append(place)
    joined = EnrichedColumns(recomputed.views.groups)
    for record in lines("updates/pageview_enriched.jsonl"):
        row = record["value"]
        place = place_of[record["timestamp"], record["key"], row["SOURCE"]].pop(0)
        joined.add(Event(place, record["key"], row["SOURCE"]), row["AGE"], row["COUNTRY"], 0)
    result = audit_join(by_place, joined, recomputed.users, recomputed.users, slack_ms=0).comparison
    assert result.clean, result.examples
    assert result.equal == len(joined)


def test_the_boundaries_of_windows_grace_and_gap() -> None:
    edge = document("boundaries.json")
    got = Recomputed(edge["inputs"], [])
    for topic, table in (
        ("topic6_PageView_Tumbling", got.tables.tumbling),
        ("topic7_PageView_Hopping", got.tables.hopping),
        ("topic8_PageView_Session", got.tables.session),
    ):
        last = {(r["key"], r["window"]["start"], r["window"]["end"]): r["value"] for r in edge["updates"][topic]}
        actual = {(key, start): value for (key, start, _), value in last.items() if value is not None}
        result = compare_tables(table.rows(), actual, lambda *_: Handling.COMPARE)
        assert result.clean, result.examples
