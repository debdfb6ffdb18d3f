from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType

from deploy.local import pipeline_tables as tables

WIDTHS = (80, 120)


def text_of(picture: RenderableType, width: int = 80) -> str:
    with Path("/dev/null").open("w") as nowhere:
        console = Console(width=width, record=True, file=nowhere)
        console.print(picture)
        return console.export_text()


def test_the_load_is_shown_in_events_per_second() -> None:
    status = {
        "state": "running",
        "target_rate": 200.0,
        "achieved_rate": {"last_1s": 199.5, "last_10s": 200.0, "overall": 198.25},
        "acknowledged": 12345,
        "failed": {"KafkaTimeoutError": 2},
    }
    shown = text_of(tables.load(status))
    assert "199.5 events/s now, 198.2 over the run" in shown
    assert "12,345" in shown
    assert "KafkaTimeoutError: 2" in shown


def test_a_stopped_load_has_no_rate() -> None:
    assert "0.0 events/s" in text_of(tables.load({"state": "stopped", "target_rate": None, "achieved_rate": {}}))


def step(kind: str, name: str, action: str, reason: str, **more: Any) -> dict[str, Any]:
    return {"resource": f"{kind}:{name}", "kind": kind, "name": name, "action": action, "reason": reason, **more}


PLAN = {
    "changes": 2,
    "steps": [
        step("topic", "topic5_PageView_Enriched_With_Users", "unchanged", "as described"),
        step(
            "query", "pageview_country", "repair", "its query CTAS_PAGEVIEW_COUNTRY_5 was terminated by somebody else"
        ),
        step(
            "pinot_table",
            "pageview_tumbling",
            "update",
            "differs in one field",
            differences=[{"field": "retentionTimeValue", "desired": "30", "actual": None}],
        ),
    ],
}


@pytest.mark.parametrize("width", WIDTHS)
def test_a_plan_has_whole_words_and_every_reason(width: int) -> None:
    shown = text_of(tables.plan(PLAN), width)
    words = " ".join(shown.split())
    assert "topic:topic5_PageView_Enriched_With_Users" in shown and "unchanged" in shown
    for reason in ("terminated by somebody else", "differs in one field", "as described"):
        assert all(word in words for word in reason.split())
    assert "retentionTimeValue: absent -> 30" in words
    assert "1 repair, 1 update, 1 unchanged" in shown
    assert shown.index("repair") < shown.index("unchanged"), "what differs comes first"
    assert max(map(len, shown.splitlines())) <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_a_run_says_what_was_done_and_how_long_it_took(width: int) -> None:
    steps = [
        {
            "resource": "pinot_table:usersession_device",
            "action": "create",
            "state": "done",
            "took_ms": 1830,
            "attempts": 2,
        },
        {
            "resource": "connector:users-source",
            "action": "create",
            "state": "failed",
            "error": "no brokers",
            "attempts": 1,
        },
    ]
    shown = text_of(tables.run({"kind": "apply", "state": "failed", "steps": steps, "error": "no brokers"}), width)
    assert "1.8 s" in shown and "(2 attempts)" in shown
    assert "apply failed: no brokers" in shown


@pytest.mark.parametrize("width", WIDTHS)
def test_a_report_has_whole_heads_and_names(width: int) -> None:
    row = {"table": "usersession_device", "side": "pinot", "compared": 12345, "equal": 12344, "missing": 1, "late": 3}
    row["examples"] = [{"problem": "missing", "identity": "('mobile', 1)", "expected": {"logins": 3}, "actual": None}]
    shown = text_of(
        tables.report(
            {"ok": False, "tables": [row], "took_ms": 12, "records": {"topic1_PageView": 60000}, "unreadable": {}}
        ),
        width,
    )
    heads = next(line for line in shown.splitlines() if line.strip()).split()
    assert heads == ["table", "side", "rows", "equal", "unsure", "late", "wrong"]
    assert "usersession_device" in shown and "12,345" in shown and "1 missing" in shown
    assert "missing: ('mobile', 1)" in shown
    assert "60,000 records" in shown and "rows are missing, extra or different" in shown
    assert max(map(len, shown.splitlines())) <= width


def test_a_report_without_a_fault_says_so() -> None:
    assert "every row is right (recomputed in 2.5 s)" in text_of(
        tables.report({"ok": True, "verdict": "equal", "tables": [], "took_ms": 2500})
    )


def test_a_report_counts_what_was_skipped_rewritten_and_undecodable() -> None:
    shown = text_of(
        tables.report(
            {
                "ok": None,
                "verdict": "not_caught_up",
                "tables": [],
                "took_ms": 2500,
                "records": {"topic1_PageView": 60000},
                "unreadable": {"topic1_PageView": 2, "topic2_UserSession": 0},
                "rewritten": {"topic1_PageView": {"records": 7, "merged": 1}},
                "undecodable": {"topic6_PageView_Country": 3},
                "behind": {"pageview_country": 1200},
            }
        )
    )
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert (
        "topic1_PageView 60,000 records, 2 skipped by the pipeline, 7 with a rewritten dimension, 1 names that merge several texts"
        in " ".join(lines)
    )
    assert "topic6_PageView_Country 3 undecodable (written by another program)" in lines
    assert "pageview_country 1,200 records behind" in lines
    assert "topic2_UserSession" not in shown and "every row" not in shown


NOON = 1_760_000_100_000


@pytest.mark.parametrize("width", WIDTHS)
def test_times_are_times_and_no_row_is_broken_over_lines(width: int) -> None:
    row = {
        "source": "LinkedIn",
        "window_start": NOON,
        "window_end": NOON + 300_000,
        "views": 1234,
        "distinct_users": 77,
        "updated_at": NOON + 301_007,
    }
    shown = text_of(tables.sample({"pinot_tables": [{"name": "pageview_hopping", "rows": [row]}]}), width)
    assert "pinot tables: pageview_hopping" in shown
    assert str(NOON)[:6] not in shown
    assert time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(NOON / 1000)) in shown
    assert re.search(r"\.007\b", shown)
    assert max(map(len, shown.splitlines())) <= width


def test_a_record_shows_its_fields_first_and_its_position_if_there_is_space() -> None:
    value = {"session_id": "c933c14d406a56b2", "user_id": 826, "source": "Homepage", "event_timestamp": NOON}
    row = {"key": "c933c14d406a56b2", "value": value, "partition": 2, "offset": 315, "timestamp": NOON}
    answer = {"topics": [{"name": "topic1_PageView", "rows": [row]}]}
    narrow, wide = text_of(tables.sample(answer), 80), text_of(tables.sample(answer), 120)
    assert "Homepage" in narrow and "c933c14d406a56b2" in narrow
    assert "partition" not in text_of(tables.sample(answer), 70) and "315" in wide
    assert wide.count("c933c14d406a56b2") == 1, "the key is a field already"


def test_a_number_that_is_no_time_stays_a_number() -> None:
    shown = text_of(tables.sample({"ksql": [{"name": "t", "rows": [{"views": NOON, "window_start": 5}]}]}))
    assert str(NOON) in shown and "5" in shown


def test_rows_that_do_not_fit_are_shown_member_by_member() -> None:
    row = {f"member_{n}": "x" * 30 for n in range(6)}
    shown = text_of(tables.sample({"topics": [{"name": "t", "rows": [row]}]}))
    assert len(re.findall(r"^member_\d +x{30}$", shown, re.MULTILINE)) == 6


def test_a_sample_shows_rows_or_says_why_there_are_none() -> None:
    answer = {
        "topics": [
            {"name": "topic1_PageView", "read_by": "topic", "rows": [{"key": "s1", "source": "Inbox"}], "error": None},
            {"name": "topic2_UserSession", "read_by": "topic", "rows": [], "error": "there is no such topic"},
        ]
    }
    shown = text_of(tables.sample(answer))
    assert "Inbox" in shown
    assert "there is no such topic" in shown


def test_values_are_shown_as_they_are_and_cannot_steer_the_terminal() -> None:
    """They come from topics: else a producer could write on the operator's screen, or break the command."""
    hostile = "[/red] [link=http://evil.example]x[/link] \x1b]0;owned\x07\x1b[2J\u202e"
    row = {"[/bold]": hostile}
    shown = text_of(tables.sample({"topics": [{"name": hostile, "rows": [row]}, {"name": "t", "error": hostile}]}), 120)
    shown += text_of(tables.plan({"steps": [step("topic", hostile, "update", hostile)]}), 400)
    assert "\x1b" not in shown and "\x07" not in shown and "\u202e" not in shown
    assert "[/bold]" in shown
    assert shown.count("[/red]") == 5
