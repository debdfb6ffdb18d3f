"""The state of groups, and how it is written to the changelog: what changed, not the whole.

A group's entry is its aggregates' states. The set of a COUNT_DISTINCT is most of it and grows by little between two commits, so a set
that is not small is written to an entry of its own, the *members*, and the group's entry holds what has been added since then (marked
``{"+": ...}``). Both entries are overwritten in place: compaction needs to keep nothing but the newest of each key, and restoring gives
the union of the two. The members are written again once the additions that were written since then weigh as much as they do, which costs at
most twice what the best moment would have cost.

Entries of earlier versions hold whole sets and are read as they are. An entry whose members are missing is an error, never a smaller set.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

from services.ksql.engine.operators.base import Key
from services.ksql.engine.operators.batch_aggregation import Aggregates, State
from services.ksql.engine.records import Window
from services.ksql.engine.state import Change, Store, decode_key, encode_key, pack, read, unpack, written
from services.ksql.functions.aggregates import CountDistinct

#: bytes of sets that are always written whole
_SMALL: Final = 64
#: commits after which the copy of a set without additions is dropped, at the earliest; with the next addition it is written whole
_REMEMBERED: Final = 256

Slot = Any
Restore = Callable[[bytes, bytes | None], None]


class MissingMembers(Exception):
    """The changelog holds an entry without the members that it adds to: it has lost records, or was written by something else."""


@dataclass(slots=True)
class _Base:
    """Sets as their members entry has them: ``size`` bytes. ``spent``: bytes of the additions written since then."""

    sets: list[Any]
    size: int
    spent: int = 0


class _Entries:
    """Makes the entries of states, and takes them back. A slot is what identifies a state: JSON can carry it."""

    def __init__(self, name: str, aggregates: Aggregates) -> None:
        self.name = name
        self.members = f"{name}-members"
        self._aggregates = aggregates
        #: where the sets are in a state
        self._sets = {i: part for i, part in enumerate(aggregates.parts, 1) if isinstance(part, CountDistinct)}
        #: by slot, those used lately and those used before: see ``_REMEMBERED``
        self._bases: dict[Slot, _Base] = {}
        self._idle: dict[Slot, _Base] = {}
        self._commits = 0
        #: slots that have a members entry
        self._split: set[Slot] = set()
        #: while restoring: the members by slot, and the states that were written without theirs
        self._found: dict[Slot, list[Any]] = {}
        self._waiting: dict[Slot, State] = {}

    def commit(self) -> None:
        """Called once for each commit."""
        self._commits += 1
        if self._commits % _REMEMBERED == 0:
            self._bases, self._idle = {}, self._bases

    def of(self, slot: Slot, state: State | None) -> list[Change]:
        """The entries to write for a state that changed; None: it was deleted."""
        key = encode_key(slot)
        base = self._bases.pop(slot, None) or self._idle.pop(slot, None)
        if state is None:
            return [(self.name, key, None), *self._without_members(slot, key)]
        if not self._sets:
            return [(self.name, key, written(state, self._aggregates.pack))]
        if base is not None:
            added = [
                part.added(state[i], before) for (i, part), before in zip(self._sets.items(), base.sets, strict=True)
            ]
            if all(one is not None for one in added):
                packed = self._pack_sets(added)
                base.spent += _size(packed)
                if base.spent < base.size:
                    self._bases[slot] = base
                    return [self._entry(key, state, [{"+": one} for one in packed])]
        packed = self._pack_sets([state[i] for i in self._sets])
        size = _size(packed)
        if size <= _SMALL:
            return [self._entry(key, state, packed), *self._without_members(slot, key)]
        self._split.add(slot)
        self._bases[slot] = _Base([state[i].copy() for i in self._sets], size)
        return [(self.members, key, written(packed, list)), self._entry(key, state, [{"+": None}] * len(packed))]

    def restore(self, slot: Slot, packed: Any) -> State:
        """The state of an entry; its members may come before or after."""
        marked = {i for i in self._sets if isinstance(packed[i], dict) and "+" in packed[i]}
        added = {i: packed[i]["+"] for i in marked}
        state = [packed[0]]
        for i, part in enumerate(self._aggregates.parts, 1):
            one = added[i] if i in marked else packed[i]
            state.append(part.initial() if i in marked and one is None else part.decode(unpack(one)))
        if marked:
            if slot in self._found:
                self._unite(state, self._found[slot])
            else:
                self._waiting[slot] = state
        return state

    def restore_members(self, key: bytes, value: bytes | None) -> None:
        """Takes back a members entry."""
        slot = decode_key(key)
        if value is None:
            return
        self._split.add(slot)
        self._found[slot] = read(value)
        if (state := self._waiting.pop(slot, None)) is not None:
            self._unite(state, self._found[slot])

    def restored(self) -> None:
        """All entries were given.

        Raises:
            MissingMembers: see there.
        """
        if self._waiting:
            raise MissingMembers(
                f"{self.members} lacks the entries of {len(self._waiting)} groups, e.g. {next(iter(self._waiting))}"
            )
        self._found.clear()

    def _unite(self, state: State, members: list[Any]) -> None:
        for (i, part), one in zip(self._sets.items(), members, strict=True):
            state[i] = part.merge(state[i], part.decode(unpack(one)))

    def _pack_sets(self, sets: list[Any]) -> list[Any]:
        return [pack(part.encode(one)) for part, one in zip(self._sets.values(), sets, strict=True)]

    def _entry(self, key: bytes, state: State, sets: Collection[Any]) -> Change:
        packed = iter(sets)
        parts = enumerate(self._aggregates.parts, 1)
        made = [state[0], *(next(packed) if i in self._sets else pack(part.encode(state[i])) for i, part in parts)]
        return (self.name, key, written(made, list))

    def _without_members(self, slot: Slot, key: bytes) -> list[Change]:
        if slot not in self._split:
            return []
        self._split.discard(slot)
        return [(self.members, key, None)]


def _size(packed: list[Any]) -> int:
    return len(written(packed, list))


class GroupStore(Store[State]):
    """States by group."""

    def __init__(self, name: str, tracked: bool, aggregates: Aggregates) -> None:
        super().__init__(name, tracked=tracked)
        self._entries = _Entries(name, aggregates)

    def changes(self) -> list[Change]:
        self._entries.commit()
        out = [change for slot in self._dirty for change in self._entries.of(slot, self.data.get(slot))]
        self._dirty.clear()
        return out

    def restore(self, key: bytes, value: bytes | None) -> None:
        slot = decode_key(key)
        if value is None:
            self.data.pop(slot, None)
        else:
            self.data[slot] = self._entries.restore(slot, read(value))

    def restores(self) -> dict[str, Restore]:
        return {self.name: self.restore, self._entries.members: self._entries.restore_members}

    def restored(self) -> None:
        self._entries.restored()


class WindowStore(GroupStore):
    """States by (window start, key), with the keys of each start at hand so that eviction looks at old windows only."""

    def __init__(self, name: str, tracked: bool, aggregates: Aggregates) -> None:
        super().__init__(name, tracked, aggregates)
        self._by_start: dict[int, set[Key]] = {}

    def put(self, key: Any, value: State) -> None:
        if key not in self.data:
            self._by_start.setdefault(key[0], set()).add(key[1])
        super().put(key, value)

    def restore(self, key: bytes, value: bytes | None) -> None:
        super().restore(key, value)
        start, one = decode_key(key)
        if value is not None:
            self._by_start.setdefault(start, set()).add(one)
        elif start in self._by_start:
            self._by_start[start].discard(one)

    def starts(self) -> list[int]:
        """The starts of all windows that are kept, in order."""
        return sorted(self._by_start)

    def evict(self, horizon: int, belongs: Any) -> None:
        """Evicts windows that start at or before ``horizon``, of the keys for which ``belongs`` is true."""
        for start in [s for s in self._by_start if s <= horizon]:
            keys = self._by_start[start]
            for key in [k for k in keys if belongs(k)]:
                keys.discard(key)
                self.delete((start, key))
            if not keys:
                del self._by_start[start]


class SessionStore(Store[dict[Window, State]]):
    """The sessions of each key. In the changelog each session is an entry of its own, found by key and start, so that it keeps its
    entry while it grows; its end is the time of its state.

    Earlier versions wrote all sessions of a key as one entry of the store ``name``: it is read, and replaced by the next ``changes``.
    """

    def __init__(self, name: str, tracked: bool, aggregates: Aggregates) -> None:
        super().__init__(name, tracked=tracked)
        self._aggregates = aggregates
        self._entries = _Entries(f"{name}-sessions", aggregates)
        #: starts of the sessions that have an entry, by key
        self._logged: dict[Key, set[int]] = {}
        #: sessions whose state is new or changed
        self._changed: set[tuple[Key, Window]] = set()
        #: keys with an entry of an earlier version
        self._old: set[Key] = set()

    def update(self, key: Key, sessions: dict[Window, State], window: Window) -> None:
        """``put``, where the state of one session is new or was changed in place."""
        self.put(key, sessions)
        if self._tracked:
            self._changed.add((key, window))

    def changes(self) -> list[Change]:
        self._entries.commit()
        out: list[Change] = [(self.name, encode_key(key), None) for key in self._old]
        self._old.clear()
        for key in self._dirty:
            logged = self._logged.get(key, set())
            for start in logged - {start for start, _ in self.data.get(key, ())}:
                out += self._entries.of((key, start), None)
                logged.discard(start)
            if not logged:
                self._logged.pop(key, None)
        for key, window in self._changed:
            state = self.data.get(key, {}).get(window)
            if state is not None:
                out += self._entries.of((key, window[0]), state)
                self._logged.setdefault(key, set()).add(window[0])
        self._dirty.clear()
        self._changed.clear()
        return out

    def restore(self, key: bytes, value: bytes | None) -> None:
        """An entry of an earlier version."""
        group = decode_key(key)
        if value is None:
            return
        sessions = self.data.setdefault(group, {})
        for start, end, state in read(value):
            sessions[start, end] = self._aggregates.unpack(state)
            self._changed.add((group, (start, end)))
        self._old.add(group)

    def restores(self) -> dict[str, Restore]:
        return {
            self.name: self.restore,
            self._entries.name: self._restore_session,
            self._entries.members: self._entries.restore_members,
        }

    def restored(self) -> None:
        self._entries.restored()

    def _restore_session(self, key: bytes, value: bytes | None) -> None:
        group, start = decode_key(key)
        if value is None:
            return
        state = self._entries.restore((group, start), read(value))
        self.data.setdefault(group, {})[start, state[0]] = state
        self._logged.setdefault(group, set()).add(start)
