from __future__ import annotations

from shared.event_log import KEPT, EventLog


def test_ids_grow_within_one_millisecond_and_the_newest_are_kept() -> None:
    log = EventLog(clock=lambda: 1_800_000_000.0)
    for n in range(KEPT + 3):
        log.add("rate", str(n), "")
    kept = log.since().events
    assert [event.title for event in kept] == [str(n) for n in range(3, KEPT + 3)]
    assert [event.id for event in kept] == list(range(kept[0].id, kept[0].id + KEPT))
    assert log.since(kept[-3].id).events == kept[-2:]
    assert log.since(limit=1).events == kept[-1:]
