"""Whole audits: the recorded run of a real ksqlDB is found right, and every kind of damage is found."""

from __future__ import annotations

import json
import struct
from datetime import timedelta
from typing import Any

import pytest

from services.provisioner.recompute.compare import Comparison
from services.provisioner.recompute.tables import empty_tables
from services.provisioner.schemas import AuditOut
from services.provisioner.settings import Settings
from services.provisioner.verify import sinks
from services.provisioner.verify.auditor import Auditor
from services.provisioner.verify.report import AuditReport, Rewritten
from shared.errors import Unprocessable
from tests.golden import document, lines
from tests.unit.provisioner.world import World

TABLES = {
    "topic5_PageView_Country": "pageview_country",
    "topic6_PageView_Tumbling": "pageview_tumbling",
    "topic7_PageView_Hopping": "pageview_hopping",
    "topic8_PageView_Session": "pageview_session",
    "topic9_UserSession_Device": "usersession_device",
}

#: the recording is old, so nothing may count as beyond retention; its distinct counts are estimates
SETTINGS = Settings(
    grace=timedelta(minutes=2),
    retention=timedelta(days=20_000),
    verify_settle=timedelta(0),
    distinct_tolerance=1e-9,
)


def _key(record: dict[str, Any]) -> bytes | None:
    key = record["key"]
    if key is None:
        return None
    raw: bytes = key.to_bytes(4, "big", signed=True) if isinstance(key, int) else str(key).encode()
    if window := record.get("window"):
        bounds = [window["end"], window["start"]] if record["topic"] == "topic8_PageView_Session" else [window["start"]]
        raw += b"".join(bound.to_bytes(8, "big") for bound in bounds)
    return raw


@pytest.fixture
def recorded(world: World) -> World:
    """The recording in one partition per topic, and Pinot as it would be after it (sessions that were merged included)."""
    for record in lines("inputs.jsonl"):
        value = None if record["value"] is None else record["value"].encode()
        world.kafka.append(record["topic"], _key(record), value, record["timestamp"])
    for topic in ("topic4_CleanedUsers", "pageview_enriched", *TABLES):
        rows: dict[tuple[str, int], Any] = {}
        for record in lines(f"updates/{topic}.jsonl"):
            value = record["value"]
            encoded = None if value is None else json.dumps(value).encode()
            world.kafka.append(topic, _key(record | {"topic": topic}), encoded, record["timestamp"])
            if value is not None and record.get("window"):
                rows[str(record["key"]), record["window"]["start"]] = value
        if topic in TABLES:
            world.pinot.rows[TABLES[topic]] = list(rows.values())
    return world


async def audit(world: World, settings: Settings = SETTINGS) -> AuditReport:
    return await Auditor(world.servers, settings).audit()


def comparison(report: AuditReport, table: str, side: str) -> Comparison:
    return next(t.comparison for t in report.tables if (t.table, t.side) == (table, side))


async def test_the_recorded_run_is_found_right_on_both_sides(recorded: World) -> None:
    report = await audit(recorded)
    problems = {(t.table, t.side): t.comparison.examples for t in report.tables if not t.comparison.clean}
    assert not problems
    assert len(report.tables) == 14
    final = document("final.json")["a"]
    for topic, table in TABLES.items():
        for side in ("sink", "pinot"):
            found = comparison(report, table, side)
            assert found.compared == len(final[topic]), (table, side)
            assert found.equal + found.unsure == found.compared
    assert comparison(report, "pageview_enriched", "sink").equal == 2593
    assert report.records["topic1_PageView"] > 3000
    assert sum(report.unreadable.values()) > 0


async def test_pages_are_computed_from_the_views_that_have_one(recorded: World) -> None:
    """Two views of a page, then one without a page whose time makes no page late, then a page that comes late to its window."""
    arrival = recorded.kafka.records["topic1_PageView"][-1].timestamp
    base = arrival // 300_000 * 300_000
    for page, time in (("/a", base + 1), ("/a", base + 2), (None, base + 900_000), ("/b", base + 3)):
        view = {"session_id": "s", "user_id": 7, "event_timestamp": time} | ({} if page is None else {"page": page})
        recorded.kafka.append("topic1_PageView", b"s", json.dumps(view).encode(), arrival)
    found = comparison(await audit(recorded), "pageview_page", "sink")
    expected = {
        e.expected["page"]: (e.expected["view_count"], e.expected["user_count"]) for e in found.examples if e.expected
    }
    assert (found.missing, expected) == (2, {"/a": (2, 1), "/b": (1, 1)})


async def test_a_lost_a_made_up_and_a_wrong_row_are_found(recorded: World) -> None:
    rows = recorded.pinot.rows["pageview_tumbling"]
    lost = rows.pop(3)
    rows.append({**rows[0], "window_start": rows[0]["window_start"] + 7})
    rows[1] = {**rows[1], "view_count": rows[1]["view_count"] + 1}
    found = comparison(await audit(recorded), "pageview_tumbling", "pinot")
    assert (found.missing, found.extra, found.different) == (1, 1, 1)
    missing = next(example for example in found.examples if example.problem == "missing")
    assert missing.expected is not None
    assert missing.expected["view_count"] == lost["view_count"]


async def test_a_stale_session_in_pinot_is_no_row_but_one_on_its_own_is(recorded: World) -> None:
    rows = recorded.pinot.rows["pageview_session"]
    longest = max(rows, key=lambda row: row["window_end"] - row["window_start"])
    inside = {**longest, "window_start": longest["window_start"] + 1, "view_count": 1}
    rows.append(inside)
    assert comparison(await audit(recorded), "pageview_session", "pinot").clean
    rows.append({**inside, "window_start": 1_750_000_000_000, "window_end": 1_750_000_000_001})
    assert comparison(await audit(recorded), "pageview_session", "pinot").extra == 1


async def test_a_session_of_an_earlier_query_in_a_sink_is_unsure_but_one_on_its_own_is_extra(recorded: World) -> None:
    """A query that was made anew over its topic knows nothing of the sessions of the one before, so they get no tombstone."""
    longest = max(recorded.pinot.rows["pageview_session"], key=lambda row: row["window_end"] - row["window_start"])

    def write(start: int, end: int) -> None:
        # a windowed key: its text, then the end and the start of the session
        key = longest["source"].encode() + struct.pack(">qq", end, start)
        row = {**longest, "window_start": start, "window_end": end, "view_count": 1}
        recorded.kafka.append("topic8_PageView_Session", key, json.dumps(row).encode(), end)

    before = comparison(await audit(recorded), "pageview_session", "sink").unsure
    write(longest["window_start"] + 1, longest["window_end"])
    found = comparison(await audit(recorded), "pageview_session", "sink")
    assert (found.clean, found.unsure) == (True, before + 1)
    write(1_750_000_000_000, 1_750_000_000_001)
    found = comparison(await audit(recorded), "pageview_session", "sink")
    assert (found.extra, found.unsure) == (1, before + 1)


async def test_a_view_that_was_joined_with_an_unknown_age_is_found(recorded: World) -> None:
    topic = recorded.kafka.records["pageview_enriched"]
    wrong = json.loads(topic[100].value or b"")
    wrong["AGE"] += 40
    topic[100] = type(topic[100])(0, 100, topic[100].key, json.dumps(wrong).encode(), topic[100].timestamp)
    topic.pop(200)
    found = comparison(await audit(recorded), "pageview_enriched", "sink")
    assert (found.different, found.missing) == (1, 1)


async def test_a_user_that_was_not_removed_is_found(recorded: World) -> None:
    recorded.kafka.append("topic4_CleanedUsers", (9_999).to_bytes(4, "big"), b'{"age": 1}', 1)
    assert comparison(await audit(recorded), "cleaned_users", "sink").extra == 1


async def test_rows_that_events_still_come_for_are_left_out(recorded: World) -> None:
    """While the results are read, another view arrives and is counted; the audit must not call that an error."""
    row = next(r for r in recorded.pinot.rows["pageview_tumbling"] if r["source"] == "Inbox")
    auditor = Auditor(recorded.servers, SETTINGS)
    follow = auditor._sources.follow

    async def arrive_then_follow() -> None:
        view = {"session_id": "s", "user_id": None, "source": "Inbox", "event_timestamp": row["window_start"] + 5}
        recorded.kafka.append("topic1_PageView", b"s", json.dumps(view).encode(), 1_760_009_999_999)
        await follow()

    auditor._sources.follow = arrive_then_follow  # type: ignore[method-assign]
    row["view_count"] += 1
    found = comparison(await auditor.audit(), "pageview_tumbling", "pinot")
    assert found.clean
    assert found.skipped >= 1


async def test_more_than_fits_in_memory_is_refused(recorded: World) -> None:
    with pytest.raises(Unprocessable, match="PAGEPULSE_VERIFY_MAX_RECORDS"):
        await audit(recorded, SETTINGS.model_copy(update={"verify_max_records": 100}))


async def test_an_event_too_far_ahead_of_its_record_is_expected_nowhere(recorded: World) -> None:
    arrival = recorded.kafka.records["topic1_PageView"][-1].timestamp
    view = {"session_id": "s", "user_id": 1, "source": "Inbox", "event_timestamp": arrival + 3_600_001}
    unreadable = (await audit(recorded)).unreadable["topic1_PageView"]
    recorded.kafka.append("topic1_PageView", b"s", json.dumps(view).encode(), arrival)
    report = await audit(recorded)
    assert report.ok
    assert report.unreadable["topic1_PageView"] == unreadable + 1
    taken = await audit(recorded, SETTINGS.model_copy(update={"max_event_time_ahead": None}))
    assert comparison(taken, "pageview_tumbling", "sink").missing == 1


async def test_texts_that_are_counted_as_others_are_reported(recorded: World) -> None:
    """Half of a surrogate pair, NUL and 2,049 characters; three of the texts become one name."""
    arrival = recorded.kafka.records["topic1_PageView"][-1].timestamp
    sources = [r'"src_\ud83e"', r'"src_\ud83f"', '"src_?"', r'"a\u0000"', f'"{"x" * 2_049}"']
    for source in sources:
        value = f'{{"user_id": null, "source": {source}, "event_timestamp": {arrival + 3_500_000}}}'.encode()
        recorded.kafka.append("topic1_PageView", b"s", value, arrival)
    report = await audit(recorded)
    found = comparison(report, "pageview_tumbling", "sink")
    counts = {e.expected["source"]: e.expected["view_count"] for e in found.examples if e.expected}
    assert counts == {"src_?": 3, "a␀": 1, "x" * 1_948 + "..." + "x" * 100: 1}
    assert report.rewritten == {"topic1_PageView": Rewritten(records=4, merged=1)}
    AuditOut.of(report).model_dump_json()


async def test_records_that_another_program_wrote_into_a_sink_are_counted_and_break_nothing(recorded: World) -> None:
    start = (1_760_000_000_000).to_bytes(8, "big")
    for topic in ("topic6_PageView_Tumbling", "topic8_PageView_Session"):
        key = b"x" + start + (start if "Session" in topic else b"")
        for value in (b"[]", b"{}", b"\xff", b'{"source": "x", "window_start": "no", "window_end": 1}', b"9" * 5_000):
            recorded.kafka.append(topic, key, value, 1)
        recorded.kafka.append(topic, b"\xff", b"{}", 1)
    user = (1).to_bytes(4, "big")
    for age in (b'"x"', b"9999999999999999999999", b"[1]", b"null"):
        recorded.kafka.append("pageview_enriched", user, b'{"SOURCE": "x", "COUNTRY": "y", "AGE": ' + age + b"}", 1)
    recorded.kafka.append("topic4_CleanedUsers", None, b'{"age": 1}', 1)
    report = await audit(recorded)
    assert report.ok
    assert report.undecodable == {
        "topic6_PageView_Tumbling": 6,
        "topic8_PageView_Session": 6,
        "pageview_enriched": 4,
        "topic4_CleanedUsers": 1,
    }


async def test_a_row_of_half_a_surrogate_pair_and_of_any_length_can_be_reported(recorded: World) -> None:
    """As a real ksqlDB can write it, and as somebody else can."""
    key = b"src_" + b"x" * 100_000 + (1_760_000_000_000).to_bytes(8, "big")
    row = {"source": "\ud83e" + "x" * 100_000, "window_start": 1_760_000_000_000, "window_end": 1_760_000_060_000}
    row |= {"view_count": 1, "user_count": 1, "updated_at": 1}
    recorded.kafka.append("topic6_PageView_Tumbling", key, json.dumps(row).encode(), 1)
    report = await audit(recorded)
    assert comparison(report, "pageview_tumbling", "sink").extra == 1
    assert len(AuditOut.of(report).model_dump_json()) < 50_000


async def test_an_event_of_now_in_a_record_of_1970_is_judged_by_the_records_clock(recorded: World) -> None:
    """As the engine does it; topics stamp records with the broker's clock, so that no producer can do this."""
    unreadable = (await audit(recorded)).unreadable["topic1_PageView"]
    value = b'{"user_id": 1, "source": "x", "event_timestamp": 1760000000000}'
    recorded.kafka.append("topic1_PageView", b"s", value, 0)
    report = await audit(recorded)
    assert report.ok
    assert report.unreadable["topic1_PageView"] == unreadable + 1


async def test_more_rows_than_one_answer_holds_are_all_read_wherever_they_lie(
    recorded: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row of 1970 must not put all others into one stretch of time."""
    rows = recorded.pinot.rows["pageview_tumbling"]
    shape = empty_tables(SETTINGS).tumbling.shape
    whole = await sinks.pinot_rows(recorded.servers.pinot, "pageview_tumbling", shape)
    monkeypatch.setattr(sinks, "_CHUNK", 7)
    recorded.pinot.rows["pageview_tumbling"] = [*rows, {**rows[0], "window_start": 0}]
    found = await sinks.pinot_rows(recorded.servers.pinot, "pageview_tumbling", shape)
    assert found.keys() == whole.keys() | {(rows[0]["source"], 0)}
