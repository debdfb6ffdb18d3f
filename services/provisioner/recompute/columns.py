"""Events in columns: some 30 bytes a record, where Python objects would take ten times that."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from services.provisioner.recompute.values import Event

#: encodes a null user; no INT has this value
NO_USER = 1 << 40


class Names:
    """Numbers for texts that come again and again."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []

    def number(self, name: str) -> int:
        found = self._numbers.get(name)
        if found is None:
            found = self._numbers[name] = len(self._names)
            self._names.append(name)
        return found

    def name(self, number: int) -> str:
        return self._names[number]


class Spellings:
    """Which texts are counted under a name that the rule for dimensions gave them. ``changed`` counts the records whose text it changed."""

    def __init__(self) -> None:
        self.changed = 0
        self._as_they_are: set[int] = set()
        self._changed: dict[int, set[int]] = {}

    def note(self, number: int, written_as: str | None) -> None:
        """One record's name by its number; ``written_as`` is its own text, None if that is the name."""
        if written_as is None:
            self._as_they_are.add(number)
            return
        self.changed += 1
        # a hash, because the texts may be as long as a record
        self._changed.setdefault(number, set()).add(hash(written_as))

    @property
    def merged(self) -> int:
        """Names under which more than one text is counted."""
        return sum(len(texts) + (number in self._as_they_are) > 1 for number, texts in self._changed.items())


@dataclass(slots=True)
class EventColumns:
    """Events of one topic; ``arrivals`` are record timestamps. The number of a group or a page that is null is -1."""

    groups: Names
    times: array[int] = field(default_factory=lambda: array("q"))
    users: array[int] = field(default_factory=lambda: array("q"))
    group_numbers: array[int] = field(default_factory=lambda: array("i"))
    arrivals: array[int] = field(default_factory=lambda: array("q"))
    partitions: array[int] = field(default_factory=lambda: array("i"))
    spellings: Spellings = field(default_factory=Spellings)
    pages: Names = field(default_factory=Names)
    page_numbers: array[int] = field(default_factory=lambda: array("i"))
    page_spellings: Spellings = field(default_factory=Spellings)

    def __len__(self) -> int:
        return len(self.times)

    def add(self, event: Event, arrival: int, partition: int) -> None:
        number = _number(self.groups, self.spellings, event.group, event.written_as)
        page = _number(self.pages, self.page_spellings, event.page, event.page_written_as)
        self.times.append(event.time)
        self.users.append(NO_USER if event.user is None else event.user)
        self.group_numbers.append(number)
        self.page_numbers.append(page)
        self.arrivals.append(arrival)
        self.partitions.append(partition)

    def in_order(self) -> Iterator[tuple[Event, int, int]]:
        """Event, arrival and partition, by arrival; the order within a partition is kept where stamps are equal."""
        for index in np.argsort(np.frombuffer(self.arrivals, dtype=np.int64), kind="stable") if len(self) else ():
            user, group, page = self.users[index], self.group_numbers[index], self.page_numbers[index]
            event = Event(
                self.times[index],
                None if user == NO_USER else user,
                None if group < 0 else self.groups.name(group),
                page=None if page < 0 else self.pages.name(page),
            )
            yield event, self.arrivals[index], self.partitions[index]


def _number(names: Names, spellings: Spellings, name: str | None, written_as: str | None) -> int:
    if name is None:
        return -1
    number = names.number(name)
    spellings.note(number, written_as)
    return number


@dataclass(slots=True)
class EnrichedColumns:
    """Records of the enriched stream."""

    groups: Names
    countries: Names = field(default_factory=Names)
    times: array[int] = field(default_factory=lambda: array("q"))
    users: array[int] = field(default_factory=lambda: array("q"))
    group_numbers: array[int] = field(default_factory=lambda: array("i"))
    ages: array[int] = field(default_factory=lambda: array("q"))
    country_numbers: array[int] = field(default_factory=lambda: array("i"))
    partitions: array[int] = field(default_factory=lambda: array("i"))

    def __len__(self) -> int:
        return len(self.times)

    def add(self, event: Event, age: int, country: str, partition: int) -> None:
        self.times.append(event.time)
        self.users.append(NO_USER if event.user is None else event.user)
        self.group_numbers.append(-1 if event.group is None else self.groups.number(event.group))
        self.ages.append(age)
        self.country_numbers.append(self.countries.number(country))
        self.partitions.append(partition)


def sorted_by_identity(columns: EventColumns | EnrichedColumns) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Indices in the order of user, event time and group."""
    if not len(columns):
        return np.empty(0, dtype=np.int64)
    return np.lexsort(
        (
            np.frombuffer(columns.group_numbers, dtype=np.int32),
            np.frombuffer(columns.times, dtype=np.int64),
            np.frombuffer(columns.users, dtype=np.int64),
        )
    )
