"""What each result table must hold, recomputed from the raw topics in plain Python.

Shares no code with the engine, so that a mistake there cannot hide here. It follows the definitions of the pipeline:
a table of distinct users and views per group and window; a session ends after a pause of more than the gap. It is exact
as long as no record is later than the grace, which ``greatest_lateness`` measures.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

MINUTE = 60_000

Row = dict[str, Any]
#: rows of one table by (group, window_start)
Table = dict[tuple[str, int], Row]


@dataclass(frozen=True, slots=True)
class Raw:
    """One record as it is in Kafka; ``timestamp`` in ms, in the order of reading within its partition."""

    key: bytes | None
    value: bytes | None
    timestamp: int
    partition: int
    offset: int = 0


@dataclass(slots=True)
class Group:
    """The events of one group in one window."""

    times: list[int] = field(default_factory=list)
    users: list[int | None] = field(default_factory=list)
    ages: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Event:
    time: int
    user_id: int | None
    group: str
    age: int = 0


def parse_events(records: Iterable[Raw], time_field: str, group_field: str) -> list[Event]:
    """The well-formed events of a raw topic, in event-time order; what cannot be read is left out, as the pipeline does."""
    events = []
    for record in records:
        try:
            row = json.loads(record.value or b"null")
        except ValueError:
            continue
        if not isinstance(row, dict) or not isinstance(row.get(time_field), int) or row[time_field] < 0:
            continue
        user = row.get("user_id")
        if not isinstance(user, int | None) or not isinstance(row.get(group_field), str):
            continue
        events.append(Event(row[time_field], user, row[group_field]))
    return sorted(events, key=lambda e: e.time)


def complete_users(records: Iterable[Raw]) -> dict[int, tuple[int, str]]:
    """Age and country of every user whose newest version has no null column."""
    newest: dict[int, Row | None] = {}
    for record in records:
        if record.key is not None:
            newest[int.from_bytes(record.key, "big", signed=True)] = json.loads(record.value) if record.value else None
    columns = ("age", "gender", "country", "subscription")
    return {
        user: (row["age"], row["country"])
        for user, row in newest.items()
        if row is not None and all(row.get(column) is not None for column in columns)
    }


def enrich(views: Iterable[Event], users: dict[int, tuple[int, str]]) -> Iterator[Event]:
    """The views of complete users, grouped by country."""
    for view in views:
        if view.user_id in users:
            age, country = users[view.user_id]
            yield Event(view.time, view.user_id, country, age)


def windows(events: Iterable[Event], size: int, advance: int) -> dict[tuple[str, int, int], Group]:
    """Each event into every window [start, start + size) that covers it; starts are multiples of ``advance``."""
    groups: dict[tuple[str, int, int], Group] = defaultdict(Group)
    for event in events:
        start = event.time // advance * advance
        while start > event.time - size and start >= 0:
            _add(groups[event.group, start, start + size], event)
            start -= advance
    return groups


def sessions(events: Iterable[Event], gap: int) -> dict[tuple[str, int, int], Group]:
    """Runs of events of one group with pauses of at most ``gap``; a session's end is its last event."""
    open_sessions: dict[str, Group] = {}
    done: dict[tuple[str, int, int], Group] = {}

    def close(group: str) -> None:
        session = open_sessions.pop(group)
        done[group, session.times[0], session.times[-1]] = session

    for event in events:
        session = open_sessions.get(event.group)
        if session is not None and event.time - session.times[-1] > gap:
            close(event.group)
        _add(open_sessions.setdefault(event.group, Group()), event)
    for group in list(open_sessions):
        close(group)
    return done


def _add(group: Group, event: Event) -> None:
    group.times.append(event.time)
    group.users.append(event.user_id)
    group.ages.append(event.age)


def table(
    groups: dict[tuple[str, int, int], Group],
    dimension: str,
    count: str = "view_count",
    extra: Callable[[Group], Row] | None = None,
) -> Table:
    """The rows that a result table must hold for ``groups``."""
    return {
        (name, start): {
            dimension: name,
            "window_start": start,
            "window_end": end,
            count: len(group.times),
            "user_count": len({user for user in group.users if user is not None}),
            "updated_at": max(group.times),
            **(extra(group) if extra else {}),
        }
        for (name, start, end), group in groups.items()
    }


def average_age(group: Group) -> Row:
    """The mean age over the views (a user who viewed twice counts twice)."""
    return {"average_age": sum(group.ages) / len(group.ages)}


def greatest_lateness(records: Iterable[Raw], time_field: str) -> int:
    """The most milliseconds by which a record of one partition lies behind the newest before it."""
    newest: dict[int, int] = {}
    worst = 0
    for record in records:
        try:
            time = json.loads(record.value or b"null")[time_field]
        except (ValueError, TypeError, KeyError):
            continue
        worst = max(worst, newest.get(record.partition, 0) - time)
        newest[record.partition] = max(time, newest.get(record.partition, 0))
    return worst


def expected_tables(page_views: list[Raw], user_sessions: list[Raw], users: list[Raw]) -> dict[str, Table]:
    """Every Pinot table by name, with the pipeline's default windows."""
    views = parse_events(page_views, "event_timestamp", "source")
    pages = parse_events(page_views, "event_timestamp", "page")
    logins = parse_events(user_sessions, "login_timestamp", "device")
    enriched = list(enrich(views, complete_users(users)))
    return {
        "pageview_country": table(windows(enriched, 5 * MINUTE, 5 * MINUTE), "country", extra=average_age),
        "pageview_tumbling": table(windows(views, MINUTE, MINUTE), "source"),
        "pageview_hopping": table(windows(views, 5 * MINUTE, MINUTE), "source"),
        "pageview_session": table(sessions(views, 30_000), "source"),
        "usersession_device": table(windows(logins, MINUTE, MINUTE), "device", count="session_count"),
        "pageview_page": table(windows(pages, 5 * MINUTE, 5 * MINUTE), "page"),
    }
