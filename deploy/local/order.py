"""The order of starting and stopping."""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

from deploy.local.component import Component
from deploy.local.errors import StackError


def check(components: Iterable[Component]) -> None:
    """Raises StackError if two components share a name, one needs a missing one, or they need one another in a circle."""
    components = list(components)
    names = [c.name for c in components]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise StackError(f"two components are called {', '.join(doubled)}")
    for component in components:
        missing = [d for d in component.depends_on if d not in names]
        if missing:
            raise StackError(f"{component.name} depends on {', '.join(missing)}, which is not part of this stack")
    try:
        TopologicalSorter({c.name: c.depends_on for c in components}).prepare()
    except CycleError as error:
        raise StackError(f"components depend on one another in a circle: {' -> '.join(error.args[1])}") from None


def dependents(components: Iterable[Component]) -> dict[str, list[str]]:
    """For each component the ones that must be stopped before it."""
    components = list(components)
    return {c.name: [other.name for other in components if c.name in other.depends_on] for c in components}


def select(components: Iterable[Component], only: Iterable[str]) -> list[Component]:
    """The components named (``kafka`` is kafka1, kafka2, ...) and everything that they need."""
    by_name = {c.name: c for c in components}
    wanted: dict[str, Component] = {}
    queue = []
    for name in only:
        matching = [n for n in by_name if n == name or n.rstrip("0123456789") == name]
        if not matching:
            raise StackError(f"there is no component {name!r}", hint=f"there are: {', '.join(by_name)}")
        queue += matching
    while queue:
        component = by_name[queue.pop()]
        if component.name not in wanted:
            wanted[component.name] = component
            queue += component.depends_on
    return [c for c in by_name.values() if c.name in wanted]
