"""The transcripts of a real ksqlDB: status, type, code, message and fields of every answer."""

from __future__ import annotations

from tests.golden import lines
from tests.unit.ksql.rest.replay import Outcome, lab, load_golden, replay, show


async def test_transcript_of_usual_calls() -> None:
    async with lab() as server:
        await load_golden(server.broker)
        outcome = await replay(server, lines("rest.jsonl"))
    print("\n".join(show(outcome)))
    assert outcome.equal >= 90, [d.name for d in outcome.differences]


async def test_transcript_of_less_usual_calls() -> None:
    usual, unusual = lines("rest.jsonl"), lines("rest-more.jsonl")
    # Both come from one sitting; this is an order in which every call finds what it found there.
    sitting = [*usual[:89], *unusual[:97], usual[89], *unusual[97:99], *usual[90:93], *unusual[99:]]
    names = {exchange["name"] for exchange in unusual}
    async with lab() as server:
        await load_golden(server.broker)
        outcome = await replay(server, sitting)
    different = [d for d in outcome.differences if d.name in names]
    print("\n".join(show(Outcome(0, different))))
    assert len(unusual) - len(different) >= 100, [d.name for d in different]
