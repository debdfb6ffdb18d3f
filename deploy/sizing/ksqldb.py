"""What ksqlDB needs: threads by query, what the keys allow, and what the sketches of COUNT_DISTINCT cost."""

from __future__ import annotations

from math import ceil

from deploy.sizing.facts import Facts
from deploy.sizing.sheet import Sheet, figure

_PART = "ksqlDB"
_MEGA = 1e6
_GIGA = 1e9


def ksqldb(sheet: Sheet, views: float, logins: float, users: float, facts: Facts) -> float:
    """Adds ksqlDB's lines; gives the threads of the join, the query that all views pass and that no key limits."""
    join = _threads(sheet, "join with users", views, facts.join_per_thread)
    country = _threads(sheet, "windows by country", views, facts.window_per_thread)
    hopping = _threads(sheet, "hopping windows by source", views, facts.hopping_per_thread)
    tumbling = _threads(sheet, "tumbling windows by source", views, facts.window_per_thread)
    session = _threads(sheet, "session windows by source", views, facts.window_per_thread)
    device = _threads(sheet, "windows by device", logins, facts.window_per_thread)
    page = _threads(sheet, "windows by page", views, facts.window_per_thread)
    total = join + country + hopping + tumbling + session + device + page
    sheet.put(
        _PART, "nodes", max(2, ceil(total / facts.threads_per_node)), "",
        f"at least 2; ⌈{figure(total)} threads / {figure(facts.threads_per_node)}⌉",
    )  # fmt: skip
    _keys(sheet, hopping, facts)
    _sketches(sheet, views, facts)
    sheet.put(
        _PART, "users held for the join", users * facts.clean_user_bytes / _GIGA, "GB",
        f"{figure(users)} × {figure(facts.clean_user_bytes)} B, once more per standby",
    )  # fmt: skip
    return join


def _threads(sheet: Sheet, what: str, rate: float, per_thread: float) -> float:
    return sheet.put(_PART, f"threads: {what}", ceil(rate / per_thread), "", f"⌈{figure(rate)} / {figure(per_thread)}⌉")


def _keys(sheet: Sheet, hopping: float, facts: Facts) -> None:
    """All records of one key are counted by one thread, however many partitions there are."""
    salt = max(1, ceil(hopping / facts.sources))
    note = (
        f"{figure(facts.sources)} keys can keep {figure(facts.sources)} threads busy, {figure(hopping)} are needed: count by (source, "
        f"user_id % {figure(salt)}) and add the parts up."
        if salt > 1
        else ""
    )
    sheet.put(
        _PART, "parts per source", salt, "", f"⌈{figure(hopping)} threads / {figure(facts.sources)} keys⌉", note=note
    )


def _sketches(sheet: Sheet, views: float, facts: Facts) -> None:
    sketch = sheet.put(
        _PART, "one full sketch", facts.sketch_ints * facts.sketch_chars / 1e3, "kB",
        f"{figure(facts.sketch_ints)} × {figure(facts.sketch_chars)} B, as JSON in the state",
    )  # fmt: skip
    sheet.put(
        _PART, "sketches read and written by hopping", 2 * facts.hops * views * sketch / _MEGA, "GB/s",
        f"{figure(views)} × {figure(facts.hops)} windows × 2 × {figure(sketch)} kB",
    )  # fmt: skip
    minutes = facts.window_retention_hours * 60
    windows = facts.sources * 3 * minutes + (facts.countries + facts.pages) * minutes / 5
    sheet.put(
        _PART, "state of sketches", windows * sketch / _MEGA, "GB",
        f"{figure(windows)} windows of {figure(facts.window_retention_hours)} h × {figure(sketch)} kB, once more per standby",
    )  # fmt: skip
    open_windows = facts.sources * (facts.hops + 3) + facts.countries + facts.pages
    sheet.put(
        _PART, "changelog of sketches", open_windows * sketch * facts.commits_per_second / 1e3, "MB/s",
        f"{figure(open_windows)} open windows × {figure(sketch)} kB × {figure(facts.commits_per_second)} commits/s",
    )  # fmt: skip
