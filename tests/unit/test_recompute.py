"""The recomputation that judges the pipeline must itself be right: small cases worked out by hand."""

from tests.integration.recompute import Event, Raw, complete_users, greatest_lateness, sessions, table, windows


def test_hopping_windows_cover_an_event_size_over_advance_times() -> None:
    groups = windows([Event(600_000, 1, "Inbox")], 300_000, 60_000)
    assert sorted(start for _, start, _ in groups) == [360_000, 420_000, 480_000, 540_000, 600_000]


def test_an_event_at_a_window_end_belongs_to_the_next_window() -> None:
    groups = windows([Event(59_999, 1, "Inbox"), Event(60_000, 1, "Inbox")], 60_000, 60_000)
    assert {key: len(group.times) for key, group in groups.items()} == {
        ("Inbox", 0, 60_000): 1,
        ("Inbox", 60_000, 120_000): 1,
    }


def test_a_pause_of_exactly_the_gap_joins_and_one_more_millisecond_does_not() -> None:
    found = sessions([Event(0, 1, "a"), Event(30_000, 2, "a"), Event(60_001, 1, "a")], 30_000)
    assert sorted(found) == [("a", 0, 30_000), ("a", 60_001, 60_001)]


def test_distinct_users_and_views_are_counted_apart() -> None:
    events = [Event(1, 7, "a"), Event(2, 7, "a"), Event(3, None, "a")]
    row = table(windows(events, 60_000, 60_000), "source")["a", 0]
    assert (row["view_count"], row["user_count"], row["updated_at"]) == (3, 1, 3)


def test_a_user_counts_by_the_newest_version_only() -> None:
    key = (5).to_bytes(4, "big")
    whole = b'{"age":30,"gender":"Female","country":"Chile","subscription":"Gold"}'
    records = [
        Raw(key, whole, 1, 0),
        Raw(key, whole.replace(b"30", b"null"), 2, 0),
        Raw((6).to_bytes(4, "big"), whole, 3, 0),
    ]
    assert complete_users(records) == {6: (30, "Chile")}


def test_lateness_is_counted_within_a_partition() -> None:
    times = [(10, 0), (50, 1), (4, 0), (49, 1)]
    assert greatest_lateness([Raw(None, b'{"t":%d}' % t, 0, p) for t, p in times], "t") == 6
