"""Streams, tables and persistent queries: everything that a KSQL statement makes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from services.provisioner.clients.kafka import KafkaClient, TopicState
from services.provisioner.clients.ksql import KsqlClient, Outcome
from services.provisioner.clients.polling import wait_until
from services.provisioner.errors import AlreadyThere, StatementRejected
from services.provisioner.rates import Growth
from services.provisioner.resource import Action, Difference, Kind, Observation, Resource, State, missing, unchanged
from services.provisioner.statements import Canonical, canonical, describe_difference
from shared.errors import DeadlineExceeded, TransientUpstreamError, Unavailable

#: states of a query that runs or starts
_WORKING = frozenset({"RUNNING", "REBALANCING", "CREATED", "UNRESPONSIVE"})


class _Statement(Resource):
    """What the two have in common: looking by DESCRIBE, making by the statement, removing by DROP."""

    def __init__(self, kind: Kind, ksql: KsqlClient, statement: str, depends_on: tuple[str, ...]) -> None:
        self.canonical: Canonical = canonical(statement)
        super().__init__(kind, self.canonical.name.lower(), depends_on)
        self._ksql = ksql
        self._statement = statement

    async def create(self) -> str:
        """``IF NOT EXISTS`` would hide another definition, so it is not used: an existing definition is compared instead.

        So is a statement whose answer did not come: it may have taken effect, and then it is not sent again.
        """
        try:
            outcome = await self._ksql.execute(self._statement)
        except (DeadlineExceeded, Unavailable):
            if (await self.observe()).action is Action.UNCHANGED:
                return "made; its answer was lost"
            raise
        except AlreadyThere as error:
            observation = await self.observe()
            if observation.action is Action.UNCHANGED:
                return "was there already"
            raise TransientUpstreamError(f"{error.detail}; but {observation.detail}") from error
        return outcome.message

    def _drift(self, description: dict[str, Any], facts: dict[str, Any]) -> Observation | None:
        """The observation of another definition than ours, None if it is ours."""
        found = describe_difference(self.canonical, canonical(description.get("statement") or ""))
        if not found:
            return None
        differences = tuple(Difference(*difference) for difference in found)
        detail = "; ".join(map(str, differences))
        return Observation(State.DRIFTED, Action.REPLACE, detail, differences, rebuilds=True, facts=facts)

    async def _drop(self, kind: str, *, delete_topic: bool) -> Outcome | None:
        """Ends what writes to it first: older servers do not do that by themselves. Nothing there is fine."""
        description = await self._ksql.describe(self.name)
        if description is None:
            return None
        for query in description.get("writeQueries") or ():
            try:
                await self._ksql.execute(f"TERMINATE {query['id']};")
            except StatementRejected as error:
                if "unknown query" not in error.detail.lower():
                    raise
        suffix = " DELETE TOPIC" if delete_topic else ""
        return await self._ksql.execute(f"DROP {kind.upper()} IF EXISTS {self.name}{suffix};")


class Source(_Statement):
    """A stream or table declared over a topic that is there."""

    def __init__(self, ksql: KsqlClient, statement: str, depends_on: tuple[str, ...]) -> None:
        kind = Kind.STREAM if canonical(statement).kind == "stream" else Kind.TABLE
        super().__init__(kind, ksql, statement, depends_on)

    async def observe(self) -> Observation:
        description = await self._ksql.describe(self.name)
        if description is None:
            return missing(f"there is no such {self.canonical.kind}")
        facts = {"topic": description.get("topic")}
        if (drift := self._drift(description, facts)) is not None:
            return drift
        return unchanged(f"over {description.get('topic')}", **facts)

    async def delete(self, *, data: bool) -> str:
        """Its topic is a resource of its own."""
        outcome = await self._drop(self.canonical.kind, delete_topic=False)
        return outcome.message if outcome else "was not there"


class Query(_Statement):
    """A persistent query with the table or stream that it writes.

    ``reads``: topics of its sources. ``has_readers``: other queries read it, so it cannot be dropped alone.
    """

    def __init__(
        self,
        ksql: KsqlClient,
        kafka: KafkaClient,
        statement: str,
        depends_on: tuple[str, ...],
        *,
        reads: tuple[str, ...],
        has_readers: bool,
        patience: timedelta,
    ) -> None:
        super().__init__(Kind.QUERY, ksql, statement, depends_on)
        self._kafka = kafka
        self.reads = reads
        self._has_readers = has_readers
        self._patience = patience
        self._read, self._written = Growth(), Growth()
        self._has_written = False

    async def observe(self) -> Observation:
        # The topic first: all queries ask at the same time, and that is one request to Kafka.
        topic = await self._kafka.describe(self.canonical.topic)
        description = await self._ksql.describe(self.name)
        if description is None:
            return self._missing(topic_exists=topic is not None)
        queries = description.get("writeQueries") or []
        facts = self._facts(description, queries)
        if (drift := self._drift(description, facts)) is not None:
            return drift
        if (fault := self._topic_fault(topic)) is not None:
            return self._broken(fault, facts, rebuild=True)
        return self._running(queries, facts)

    def _topic_fault(self, topic: TopicState | None) -> str | None:
        if topic is None:
            return f"its topic {self.canonical.topic} is gone"
        wanted = self.canonical.properties.get("PARTITIONS", str(topic.partitions))
        return None if str(topic.partitions) == wanted else f"its topic has {topic.partitions} partitions, not {wanted}"

    def _running(self, queries: list[dict[str, Any]], facts: dict[str, Any]) -> Observation:
        rebuild = self._has_readers or self._appends
        if not queries:
            return self._broken("its query was terminated", facts, rebuild=rebuild)
        name, state = queries[0]["id"], _state(queries[0])
        if state == "PAUSED":
            return Observation(State.DRIFTED, Action.REPAIR, "its query is paused", facts=facts)
        if state not in _WORKING:
            return self._broken(f"its query {name} is {state}", facts, rebuild=rebuild, failed=True)
        return unchanged(f"{name} is {state}", **facts)

    @property
    def _appends(self) -> bool:
        """A stream's topic is a log: a query that starts over would write everything a second time."""
        return self.canonical.kind == "stream"

    def _missing(self, *, topic_exists: bool) -> Observation:
        """A windowed table made anew over its topic writes the same rows under the same keys. A stream would write everything a second
        time, and a table of others would keep rows that have vanished since: both start over, with all that depends on them."""
        detail = f"there is no such {self.canonical.kind}"
        if topic_exists and (self._appends or self._has_readers):
            return Observation(
                State.MISSING, Action.REPLACE, f"{detail}, but its topic has records of an earlier one", rebuilds=True
            )
        return missing(detail, rebuilds=not topic_exists, leftovers=topic_exists)

    @staticmethod
    def _broken(detail: str, facts: dict[str, Any], *, rebuild: bool, failed: bool = False) -> Observation:
        state = State.FAILED if failed else State.DRIFTED
        action = Action.REPLACE if rebuild else Action.REPAIR
        return Observation(state, action, detail, rebuilds=rebuild, facts=facts)

    async def create(self) -> str:
        """A table that others join is complete before they start: a stream's record that comes before its row is never joined."""
        done = await super().create()
        if self._has_readers and not self._appends:
            await self._catch_up()
        return done

    async def _catch_up(self) -> None:
        """Until the query has read what its sources hold now."""
        ends = await self._kafka.end_offsets(self.reads)

        async def poll() -> str | None:
            behind, _ = await self.behind(ends)
            return f"{behind} records behind" if behind else None

        await wait_until(
            poll, what=f"query {self.name} has not caught up", within=self._patience, every=timedelta(milliseconds=200)
        )

    async def behind(self, ends: Mapping[str, Mapping[int, int]]) -> tuple[int, bool]:
        """Records between the query's positions and ``ends`` (by topic and partition), those of its sources; and whether it works,
        so that waiting helps. A query that is not there is not behind."""
        description = await self._ksql.describe(self.name) or {}
        queries = description.get("writeQueries") or []
        if not queries:
            return 0, False
        positions = {
            topic["kafkaTopic"]: {offset["partition"]: _position(offset) for offset in topic.get("offsets") or ()}
            for topic in self._sources(description)
        }
        behind = sum(
            max(0, end - positions.get(topic, {}).get(partition, 0))
            for topic in self.reads
            for partition, end in ends.get(topic, {}).items()
        )
        return behind, _state(queries[0]) in _WORKING

    def _sources(self, description: dict[str, Any]) -> list[dict[str, Any]]:
        """Positions in the topics of its sources. The server also lists the query's repartition topics: their records are the same ones
        once more, so they count neither for the rate nor for the lag."""
        return [
            topic
            for summary in description.get("queryOffsetSummaries") or ()
            for topic in summary.get("topicSummaries") or ()
            if topic["kafkaTopic"] in self.reads
        ]

    def _facts(self, description: dict[str, Any], queries: list[dict[str, Any]]) -> dict[str, Any]:
        """State, lag, rates and dropped records, as far as the server reports them."""
        facts: dict[str, Any] = {"topic": description.get("topic"), "reads": list(self.reads)}
        if queries:
            facts |= {"query_id": queries[0]["id"], "state": _state(queries[0])}
        offsets = [offset for topic in self._sources(description) for offset in topic.get("offsets") or ()]
        if offsets:
            facts["lag"] = sum(max(0, offset["logEndOffset"] - _position(offset)) for offset in offsets)
        facts["dropped"] = _dropped(description, str(facts.get("query_id")))
        facts["rate_per_s"] = self._read.rate(sum(map(_position, offsets))) if offsets else None
        facts["written_per_s"] = self._written_per_s(_written(description), bool(queries))
        return facts

    def _written_per_s(self, written: int | None, runs: bool) -> float | None:
        """The real server has no such count before the first record that it writes: until then it is 0."""
        if written is None and (not runs or self._has_written):
            return None
        self._has_written = self._has_written or written is not None
        return self._written.rate(written or 0)

    async def repair(self, observation: Observation) -> str:
        """Resumes a paused query; otherwise makes it anew over its topic, which upserts the same rows again."""
        description = await self._ksql.describe(self.name)
        queries = (description or {}).get("writeQueries") or []
        if queries and _state(queries[0]) == "PAUSED":
            await self._ksql.execute(f"RESUME {queries[0]['id']};")
            return "resumed"
        await self._drop(self.canonical.kind, delete_topic=False)
        return await self.create()

    async def delete(self, *, data: bool) -> str:
        outcome = await self._drop(self.canonical.kind, delete_topic=data)
        if data:
            await self._kafka.delete([self.canonical.topic])
        return outcome.message if outcome else "was not there"


def _state(query: dict[str, Any]) -> str:
    """The state of a query over all servers. For a paused one ksqlDB reports ``"state": "RUNNING"``; only ``statusCount`` has the state."""
    counts = query.get("statusCount") or {}
    return next((state for state in ("ERROR", "PAUSED") if counts.get(state)), str(query.get("state")))


def _position(offset: dict[str, Any]) -> int:
    """The next offset that the query reads; before its first commit the server says 0, or less."""
    return int(max(offset["consumerOffset"], offset.get("logStartOffset") or 0))


def _written(description: dict[str, Any]) -> int | None:
    """Records that its queries have written, as far as the server reports them."""
    counts = [int(e["value"]) for e in description.get("clusterStatistics") or () if e.get("name") == "total-messages"]
    return sum(counts) if counts else None


def _dropped(description: dict[str, Any], query_id: str) -> int:
    """Records that the query could not use: its own count where the server keeps one, else that of its source's consumers."""
    counts = {str(entry.get("name")): int(entry["value"]) for entry in description.get("clusterErrorStats") or ()}
    own = [count for name, count in counts.items() if name.startswith(f"{query_id}-dropped")]
    return sum(own) if own else counts.get("consumer-failed-messages", 0)
