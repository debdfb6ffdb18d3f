from __future__ import annotations

from pathlib import Path

from rich.console import Console, RenderableType

from deploy.local import pipeline_tables as tables


def text_of(picture: RenderableType) -> str:
    with Path("/dev/null").open("w") as nowhere:
        console = Console(width=80, record=True, file=nowhere)
        console.print(picture)
        return console.export_text()


def test_the_load_is_told_in_events_per_second() -> None:
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
    assert "{'KafkaTimeoutError': 2}" in shown


def test_a_stopped_load_has_no_rate() -> None:
    assert "0.0 events/s" in text_of(tables.load({"state": "stopped", "target_rate": None, "achieved_rate": {}}))


def test_a_report_has_a_line_per_table_with_whole_names() -> None:
    row = {"table": "usersession_device", "side": "pinot", "compared": 3, "equal": 3, "missing": 0, "extra": 0}
    shown = text_of(tables.resources({"ok": True, "tables": [row], "took_ms": 12}))
    assert "usersession_device" in shown
    assert "took_ms" in shown


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
    """They come from topics: whoever writes there would else write on the operator's screen, or break the command."""
    hostile = "[/red] [link=http://evil.example]x[/link] \x1b]0;owned\x07\x1b[2J\u202e"
    row = {"[/bold]": hostile}
    shown = text_of(tables.sample({"topics": [{"name": hostile, "rows": [row]}, {"name": "t", "error": hostile}]}))
    shown += text_of(tables.resources({"resources": [{"name": hostile, "state": "failed"}], "note": hostile}))
    assert "\x1b" not in shown and "\x07" not in shown and "\u202e" not in shown
    assert "[/bold]" in shown
    assert shown.count("[/red]") == 5
