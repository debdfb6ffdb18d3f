"""The audit of the join: is every enriched view one that happened, with what its user was then?

A stream-table join takes the user as it is when the view is processed, which is not written anywhere. So a version counts as right if
it was in force at some moment between the view's event time and its arrival, with some slack for the change to travel.
Whether a view had to find a user at all is judged by the cleaned users' topic, which the join reads: a query that was made anew finds
there only the newest version of each user, and leaves out the views before it.

A broker that does not answer delays a change: Connect sends it again for half a minute, or it can be read only when the broker has left
the in-sync replicas. Views with later timestamps are joined meanwhile, on a real ksqlDB too. Such a view is unsure, unless an earlier one
shows that the change had arrived.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from services.provisioner.recompute.columns import NO_USER, EnrichedColumns, EventColumns, sorted_by_identity
from services.provisioner.recompute.compare import Comparison
from services.provisioner.recompute.rows import Row
from services.provisioner.recompute.users import Users
from services.provisioner.recompute.values import User

_Identity = tuple[int, int, int]

#: no record, and none that must be there
_AS_RIGHTLY_ABSENT: Final = "absent"


@dataclass(frozen=True, slots=True)
class _InForce:
    """Versions of a user around a view: in the cleaned topic (and whether it still has all that there were), and in the source."""

    cleaned: list[User | None]
    complete: bool
    source: list[User | None]

    @property
    def choice(self) -> tuple[bool, bool, int]:
        """Sorts what must be there and can be one thing only before what may be absent or several."""
        return not self.complete, None in self.cleaned, len(self.cleaned) + len(self.source)


@dataclass(frozen=True, slots=True)
class JoinAudit:
    """``arrivals``: for each record of the enriched stream when the view behind it arrived; -1 where no view is behind it, or which is
    not known."""

    comparison: Comparison
    arrivals: array[int]


def audit_join(
    views: EventColumns,
    enriched: EnrichedColumns,
    users: Users,
    cleaned: Users,
    *,
    slack_ms: int,
    late_ms: int = 0,
    moving: frozenset[int] = frozenset(),
) -> JoinAudit:
    """Compares view by view.

    ``users`` are the versions in the source, ``cleaned`` those in the cleaned users' topic; ``late_ms`` is how much longer than the slack
    a change may take while a broker is unavailable; ``moving`` are event times of views that came after the snapshot.
    """
    result, late = Comparison(), _LateChanges(cleaned, slack_ms, late_ms)
    arrivals = array("q", [-1]) * len(enriched)
    for identity, view_indices, enriched_indices in _side_by_side(views, enriched):
        user, time, _ = identity
        if user == NO_USER:
            continue
        if time in moving:
            result.skipped += len(view_indices) + len(enriched_indices)
            continue
        left, absent = list(enriched_indices), list[_Span]()
        # Of views alike, those that leave the least choice are served first: one that may be absent must not take another's record.
        spans = ((index, _span(views, index, slack_ms)) for index in view_indices)
        served = [
            (index, span, _InForce(*cleaned.between(user, *span), users.between(user, *span)[0]))
            for index, span in spans
        ]
        for index, span, in_force in sorted(served, key=lambda view: view[2].choice):
            taken, problem = _take(enriched, left, in_force)
            if taken is not None:
                arrivals[taken] = views.arrivals[index]
            if problem is None or problem == _AS_RIGHTLY_ABSENT:
                late.note_right(user, span, in_force)
            if problem == _AS_RIGHTLY_ABSENT:
                absent.append(span)
                continue
            result.compared += 1
            if problem is None:
                result.equal += 1
            else:
                late.note_difference(user, [span], _Difference(_name(views, identity), *problem))
        for index in left:
            result.compared += 1
            row = _enriched_row(enriched, index)
            late.note_difference(user, absent, _Difference(_name(views, identity), None, row))
    late.judge(result)
    return JoinAudit(result, arrivals)


class _Span(NamedTuple):
    """When a view can have been joined."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class _Difference:
    """What must be joined to a view, and what is."""

    identity: str
    expected: Row | None
    actual: Row | None


class _LateChanges:
    """Differences, kept until it is known which of them a late change explains."""

    def __init__(self, cleaned: Users, slack_ms: int, late_ms: int) -> None:
        self._cleaned, self._slack_ms, self._late_ms = cleaned, slack_ms, late_ms
        #: by user and beginning of a version, the earliest end of a span in which it was certainly in force
        self._arrived: dict[tuple[int, int], int] = {}
        self._differences: list[tuple[_Difference, int, list[tuple[_Span, int]]]] = []

    def note_right(self, user: int, span: _Span, in_force: _InForce) -> None:
        """A view that is joined as it must be shows that the only version of its span had arrived."""
        if not in_force.complete or len(in_force.cleaned) > 1:
            return
        since = self._cleaned.since(user, span.begin)
        if since is not None and span.begin - since <= self._late_ms:
            self._arrived[user, since] = min(span.end, self._arrived.get((user, since), span.end))

    def note_difference(self, user: int, spans: Iterable[_Span], difference: _Difference) -> None:
        """``spans``: of the views that it may belong to."""
        explained = [
            (span, since) for span in spans if (since := self._change(user, span, difference.actual)) is not None
        ]
        self._differences.append((difference, user, explained))

    def judge(self, result: Comparison) -> None:
        """Counts each as unsure or as the problem that it is."""
        for difference, user, explained in self._differences:
            if any(
                span.end <= self._arrived.get((user, since), span.end) + self._slack_ms for span, since in explained
            ):
                result.unsure += 1
            else:
                result.note(difference.identity, difference.expected, difference.actual)

    def _change(self, user: int, span: _Span, actual: Row | None) -> int | None:
        """When the change came into force without which ``actual`` would be right; None: there is no such change."""
        since = self._cleaned.since(user, span.begin)
        if since is None or since < span.begin - self._late_ms:
            return None
        before, complete = self._cleaned.between(user, span.begin - self._late_ms, since - 1)
        if not complete:
            return since
        rows = [version and {"age": version.age, "country": version.country} for version in before]
        return since if actual in rows else None


def _span(views: EventColumns, index: int, slack_ms: int) -> _Span:
    time, arrival = views.times[index], views.arrivals[index]
    return _Span(min(time, arrival) - slack_ms, max(time, arrival) + slack_ms)


def _take(
    enriched: EnrichedColumns, left: list[int], in_force: _InForce
) -> tuple[int | None, tuple[Row, Row | None] | Literal["absent"] | None]:
    """Takes the record that belongs to a view out of ``left``, and returns its number if it is right; else None and what should
    be and what is."""
    versions = in_force.cleaned
    known = [version for version in versions + in_force.source if version is not None]
    allowed = {(version.age, version.country) for version in known}
    for position, candidate in enumerate(left):
        country = enriched.countries.name(enriched.country_numbers[candidate])
        if not in_force.complete or (enriched.ages[candidate], country) in allowed:
            del left[position]
            return candidate, None
    newest = versions[-1]
    if None in versions or newest is None:
        return None, _AS_RIGHTLY_ABSENT
    expected = {"age": newest.age, "country": newest.country}
    return None, (expected, _enriched_row(enriched, left.pop()) if left else None)


def _side_by_side(views: EventColumns, enriched: EnrichedColumns) -> Iterator[tuple[_Identity, list[int], list[int]]]:
    """Records of both with the same user, event time and group, in that order."""
    left, right = _runs(views), _runs(enriched)
    view, record = next(left, None), next(right, None)
    while view is not None or record is not None:
        if record is None or (view is not None and view[0] < record[0]):
            assert view is not None  # noqa: S101 - one of the two is there
            yield view[0], view[1], []
            view = next(left, None)
        elif view is None or record[0] < view[0]:
            yield record[0], [], record[1]
            record = next(right, None)
        else:
            yield view[0], view[1], record[1]
            view, record = next(left, None), next(right, None)


def _runs(columns: EventColumns | EnrichedColumns) -> Iterator[tuple[_Identity, list[int]]]:
    run: list[int] = []
    present: _Identity | None = None
    for index in sorted_by_identity(columns):
        identity = (columns.users[index], columns.times[index], columns.group_numbers[index])
        if identity != present:
            if present is not None:
                yield present, run
            present, run = identity, []
        run.append(int(index))
    if present is not None:
        yield present, run


def _name(views: EventColumns, identity: _Identity) -> str:
    user, time, group = identity
    return f"user {user}, {views.groups.name(group) if group >= 0 else None}, {time}"


def _enriched_row(enriched: EnrichedColumns, index: int) -> Row:
    country = enriched.countries.name(enriched.country_numbers[index])
    return {"age": enriched.ages[index], "country": country}
