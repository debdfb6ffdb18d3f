"""Session windows as Pinot stores them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any


def current_sessions(sessions: Iterable[tuple[Hashable, Any, Any]]) -> list[int]:
    """Indices of the (group, start, end) that are not superseded, in their order; starts and ends are numbers or times.

    A session that merges with another, or grows backwards, gets a new identity. The engine deletes the old one with a tombstone, but
    Pinot keeps its row. Sessions only grow, so a superseded session is inside another one of its group.
    """
    numbered = list(enumerate(sessions))
    numbered.sort(key=lambda item: item[1][2], reverse=True)
    numbered.sort(key=lambda item: item[1][1])
    reached: dict[Hashable, Any] = {}
    kept = []
    for index, (group, _, end) in numbered:
        if group not in reached or end > reached[group]:
            reached[group] = end
            kept.append(index)
    return sorted(kept)
