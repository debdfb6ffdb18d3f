"""The transcripts of a real ksqlDB: status, type, code, message and fields of every answer."""

from __future__ import annotations

from tests.golden import lines
from tests.unit.ksql.rest.replay import Outcome, lab, load_golden, replay, show

#: calls whose answers differ, with the reason; docs/ksql.md has the same list in the large
_DIFFERENT = {
    "clusterStatus-enabled": "one server is no cluster: /clusterStatus is always off",
    "show-all-topics": "there are no repartition topics and no changelog per store; the internal topics have other names",
    "describe-function": "texts of its own, and COUNT_DISTINCT is exact",
    "with-unknown-format": "the statement in the error has its clean-up policy filled in already",
    "inserts-stream": "the row before the error is acknowledged; the recording has the error only",
    "print-topic": "the formats are guessed; the recorded server, without a schema registry, guessed none",
    "drop-keeps-topic": "the recorded server still listed the topic that DELETE TOPIC had just deleted",
    "pull-windowed-no-where": "the session of the record that is far ahead is found; the recorded server gave no row (cause unknown)",
    "show-queries-after-drop": "the queries are listed in the order in which they were made",
}
#: calls whose rows come in an order that nothing promises: they may differ, and need not
_UNORDERED = {
    "pull-key-in": "rows of several keys come in the order of the state",
    "push-table-limit": "which rows of a commit come first depends on the commits",
    "push-windowed-table-where-limit": "which rows of a commit come first depends on the commits",
}


def _check(differences: set[str], played: set[str]) -> None:
    """Every difference has a reason above, and every reason still has its difference."""
    assert differences - _UNORDERED.keys() == _DIFFERENT.keys() & played


async def test_transcript_of_usual_calls() -> None:
    transcript = lines("rest.jsonl")
    async with lab() as server:
        await load_golden(server.broker)
        outcome = await replay(server, transcript)
    print("\n".join(show(outcome)))
    _check({d.name for d in outcome.differences}, {exchange["name"] for exchange in transcript})


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
    _check({d.name for d in different}, names)
