"""The join of views with users, checked while users change.

A view is joined with the user as the topic of cleaned users has him when it comes. That topic need not have every version (of several
between two commits only the newest is written), but each one it has must be one that the user had. Between a change and its way through
the pipeline lie some moments in which the older or the newer version is right. Outside of these each view must be there exactly as often
as it was sent.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from benchmarks.drills.events import Arrived, Enriched
from tests.integration.recompute import Raw

#: ms around a change in which the version before or after it may be the one that is joined
SLACK_MS: Final = 5_000
#: a producer sends again for no longer than this, in ms; what arrives later than that is late by its own time
RESENT_MS: Final = 30_000
_COLUMNS: Final = ("age", "gender", "country", "subscription")

#: age and country of a complete user; None for one that is not there or lacks something
Version = tuple[int, str] | None
#: user, event time, source
_View = tuple[int, int, str]


@dataclass(slots=True)
class JoinCheck:
    """Views that are not in the join and must be, that are there too often, that are joined with a version the user did not have."""

    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.wrong)


@dataclass(slots=True)
class _Leeway:
    """How often one view (or several alike) must and may be there, and with what."""

    least: int = 0
    most: int = 0
    versions: set[Version] = field(default_factory=set)


class Versions:
    """The versions of each user, by the time of their record: of a topic that is keyed by user (4 bytes)."""

    def __init__(self, records: Iterable[Raw]) -> None:
        self._times: dict[int, list[int]] = defaultdict(list)
        self._versions: dict[int, list[Version]] = defaultdict(list)
        for record in records:
            user = int.from_bytes(record.key or b"", "big", signed=True)
            self._times[user].append(record.timestamp)
            self._versions[user].append(_version(json.loads(record.value) if record.value else None))

    def unknown_to(self, source: Versions) -> list[str]:
        """Versions that the user never had, or not at that time, in ``source``."""
        return [
            f"user {user} never was {version} at {time}"
            for user, times in self._times.items()
            for time, version in zip(times, self._versions[user], strict=True)
            if version not in source.around(user, time, 0)
        ]

    def around(self, user: int, time: int, slack: int = SLACK_MS) -> set[Version]:
        """Every version that the user had within ``slack`` of ``time``."""
        return self.between(user, time - slack, time + slack)

    def between(self, user: int, start: int, end: int) -> set[Version]:
        """Every version that the user had from ``start`` to ``end``."""
        times, versions = self._times.get(user, []), self._versions.get(user, [])
        first, last = bisect_right(times, start), bisect_right(times, end)
        before: Version = versions[first - 1] if first else None
        return {before, *versions[first:last]}


def check_join(views: Iterable[Arrived], enriched: Iterable[Enriched], users: Versions, cleaned: Versions) -> JoinCheck:
    """All views that can be read, against all that are in the join.

    ``users``: as the source has them; ``cleaned``: as the join reads them.
    """
    leeway: dict[_View, _Leeway] = defaultdict(_Leeway)
    for view in views:
        event = view.event
        if event.user_id is None:
            continue
        entry = leeway[event.user_id, event.time, event.group]
        # A late view is joined when it arrives. One that its producer sends again for seconds, because a broker has died, arrives later
        # than it was made, and is joined in its turn by event time.
        made = event.time if 0 <= view.arrival - event.time <= RESENT_MS else view.arrival
        possible = cleaned.between(event.user_id, made - SLACK_MS, view.arrival + SLACK_MS)
        entry.most += possible != {None}
        entry.least += None not in possible
        entry.versions |= possible
    invented = cleaned.unknown_to(users)
    check = JoinCheck(wrong=len(invented), examples=invented)
    found: Counter[_View] = Counter()
    for row in enriched:
        found[row.user_id, row.time, row.source] += 1
        if (row.age, row.country) not in leeway[row.user_id, row.time, row.source].versions:
            check.wrong += 1
            check.examples.append(f"joined with another version: {row}")
    for key, entry in leeway.items():
        lost, doubled = max(0, entry.least - found[key]), max(0, found[key] - entry.most)
        check.lost += lost
        check.doubled += doubled
        if lost or doubled:
            check.examples.append(f"{key}: {found[key]} times, must be {entry.least} to {entry.most}")
    return check


def _version(row: dict[str, Any] | None) -> Version:
    if row is None or any(row.get(column) is None for column in _COLUMNS):
        return None
    return row["age"], row["country"]
