"""Versions of the users, by when they came into force."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

from services.provisioner.recompute.values import User


@dataclass(slots=True)
class _History:
    """``disordered``: a later record has an earlier stamp, so that stamps do not tell what was in force when."""

    since: list[int] = field(default_factory=list)
    versions: list[User | None] = field(default_factory=list)
    disordered: bool = False


class Users:
    """Every version in the users topic (that compaction has left); None is "deleted or incomplete"."""

    def __init__(self) -> None:
        self._histories: dict[int, _History] = {}

    def put(self, user: int, version: User | None, arrival: int) -> None:
        """A record of the topic, in its order; ``arrival`` in ms."""
        history = self._histories.setdefault(user, _History())
        history.disordered |= bool(history.since) and arrival < history.since[-1]
        history.since.append(arrival)
        history.versions.append(version)

    def newest(self) -> dict[int, User]:
        """The complete users as they are now: what the cleaned table must hold."""
        found = ((user, history.versions[-1]) for user, history in self._histories.items())
        return {user: version for user, version in found if version is not None}

    def between(self, user: int | None, begin: int, end: int) -> tuple[list[User | None], bool]:
        """The versions in force at some moment of [begin, end], and whether that is all there can have been.

        Not all: before the first known version there may have been another that compaction has removed, or none.
        """
        history = self._histories.get(user) if user is not None else None
        if history is None:
            return [None], True
        if history.disordered:
            return [None, *history.versions], False
        first = bisect_right(history.since, begin) - 1
        last = bisect_right(history.since, end) - 1
        if first < 0:
            return [None, *history.versions[: last + 1]], False
        return history.versions[first : last + 1], True

    def since(self, user: int, moment: int) -> int | None:
        """When the version that was in force at ``moment`` came into force; None if that is not known."""
        history = self._histories.get(user)
        if history is None or history.disordered:
            return None
        index = bisect_right(history.since, moment) - 1
        return history.since[index] if index >= 0 else None
