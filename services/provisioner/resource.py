"""The common shape of everything that is provisioned."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from services.provisioner.errors import BrokenResource


class Kind(StrEnum):
    TOPIC = "topic"
    CONNECTOR = "connector"
    STREAM = "stream"
    TABLE = "table"
    QUERY = "query"
    PINOT_TABLE = "pinot_table"


class State(StrEnum):
    """``drifted``: there, but not as desired. ``failed``: as desired, but not working. ``unknown``: not observed."""

    OK = "ok"
    MISSING = "missing"
    DRIFTED = "drifted"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Action(StrEnum):
    """What an apply would do.

    ``update`` changes a definition in place, ``replace`` removes and makes anew, ``repair`` keeps the definition and resumes or restarts
    what runs, ``unknown`` cannot be planned because the server does not answer.
    """

    UNCHANGED = "unchanged"
    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    REPAIR = "repair"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not as desired; secrets are masked by its creator."""

    field: str
    desired: str | None
    actual: str | None

    def __str__(self) -> str:
        return f"{self.field} is {self.actual}, not {self.desired}"


@dataclass(frozen=True, slots=True)
class Observation:
    """A resource as it is now.

    ``rebuilds`` says that acting on it removes what its dependents need (a topic that is recreated, a stream whose records
    would come twice), so that those of them that exist must be replaced too. ``leftovers``: it is missing, but its
    records are there. ``facts`` are for people: offsets, lag, states.
    """

    state: State
    action: Action
    detail: str
    differences: tuple[Difference, ...] = ()
    rebuilds: bool = False
    leftovers: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def removable(self) -> bool:
        """Whether there is something that would have to go first, if it had to start over."""
        return self.state is not State.MISSING or self.leftovers


class Resource(ABC):
    """One thing on one server.

    Every method may be called at any time, also after a crash between two of them: ``create`` accepts what is already there as
    desired, ``delete`` accepts that nothing is there.
    """

    def __init__(self, kind: Kind, name: str, depends_on: tuple[str, ...] = ()) -> None:
        self.kind = kind
        self.name = name
        self.depends_on = depends_on

    @property
    def id(self) -> str:
        """Unique in the pipeline, e.g. ``topic:topic1_PageView``."""
        return f"{self.kind}:{self.name}"

    @abstractmethod
    async def observe(self) -> Observation:
        """Looks at the server. Raises PagePulseError when that cannot be done."""

    @abstractmethod
    async def create(self) -> str:
        """Makes it and waits until it works; answers in a few words what was done."""

    async def update(self, observation: Observation) -> str:
        """Changes in place what ``observation`` found different."""
        raise BrokenResource(f"{self.id} is never updated in place: {observation.detail}")

    async def repair(self, observation: Observation) -> str:
        """Resumes or restarts what runs by a right definition."""
        raise BrokenResource(f"{self.id} is never repaired in place: {observation.detail}")

    @abstractmethod
    async def delete(self, *, data: bool) -> str:
        """Removes it and waits until it is gone; with ``data`` its records as well, so that a successor starts empty."""


def unchanged(detail: str, **facts: Any) -> Observation:
    """All is well."""
    return Observation(State.OK, Action.UNCHANGED, detail, facts=facts)


def missing(detail: str, *, rebuilds: bool = False, leftovers: bool = False) -> Observation:
    """There is none; it would be created."""
    return Observation(State.MISSING, Action.CREATE, detail, rebuilds=rebuilds, leftovers=leftovers)


def unknown(detail: str) -> Observation:
    """The server could not be asked."""
    return Observation(State.UNKNOWN, Action.UNKNOWN, detail)


def compare(desired: Mapping[str, Any], actual: Mapping[str, Any], prefix: str = "") -> tuple[Difference, ...]:
    """Where ``actual`` lacks what is desired; what it has beyond that (a server's defaults) does not count.

    Numbers and texts that read the same are equal, because servers answer settings as texts.
    """
    found: list[Difference] = []
    for key, want in desired.items():
        have, path = actual.get(key), f"{prefix}{key}"
        if isinstance(want, Mapping):
            found += compare(want, have if isinstance(have, Mapping) else {}, f"{path}.")
        elif isinstance(want, list) and want and isinstance(want[0], Mapping):
            others = have if isinstance(have, list) else []
            for position, item in enumerate(want):
                other = others[position] if position < len(others) else {}
                found += compare(item, other, f"{path}[{position}].")
        elif _text(want) != _text(have):
            found.append(Difference(path, _text(want), _text(have)))
    return tuple(found)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
