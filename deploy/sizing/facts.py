"""The figures that a size is counted with, and where each of them comes from."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Fact:
    """``source`` begins with how the value is known: measured, documented, derived, assumed or chosen, or it names a file."""

    name: str
    value: float
    unit: str
    source: str


class Facts:
    """Facts by name; it remembers which were asked for, so that a result can name its sources."""

    def __init__(self, facts: dict[str, Fact]) -> None:
        self._facts = facts
        self.used: dict[str, Fact] = {}

    def __getattr__(self, name: str) -> float:
        """The value of a fact. Raises AttributeError for one that is not in the file."""
        try:
            fact = self._facts[name]
        except KeyError:
            raise AttributeError(name) from None
        self.used[name] = fact
        return fact.value

    def names(self) -> set[str]:
        return set(self._facts)


def load() -> Facts:
    """The facts of ``facts.toml``."""
    document = tomllib.loads((files("deploy.sizing") / "facts.toml").read_text())
    return Facts({name: Fact(name, **entry) for name, entry in document.items()})
