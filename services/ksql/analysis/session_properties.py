"""Properties of SET, UNSET and requests: which names there are."""

from __future__ import annotations

from typing import Final

STREAMS: Final = "ksql.streams."
#: what Kafka's clients and Streams know, as far as people set it with statements; anything under these prefixes passes too
_CLIENT = frozenset(
    [
        "acceptable.recovery.lag",
        "acks",
        "application.id",
        "auto.offset.reset",
        "batch.size",
        "bootstrap.servers",
        "buffer.memory",
        "buffered.records.per.partition",
        "cache.max.bytes.buffering",
        "client.id",
        "commit.interval.ms",
        "compression.type",
        "default.deserialization.exception.handler",
        "default.production.exception.handler",
        "enable.auto.commit",
        "enable.idempotence",
        "fetch.max.bytes",
        "fetch.max.wait.ms",
        "fetch.min.bytes",
        "group.id",
        "heartbeat.interval.ms",
        "isolation.level",
        "linger.ms",
        "max.block.ms",
        "max.partition.fetch.bytes",
        "max.poll.interval.ms",
        "max.poll.records",
        "max.request.size",
        "max.task.idle.ms",
        "metadata.max.age.ms",
        "metric.reporters",
        "num.standby.replicas",
        "num.stream.threads",
        "poll.ms",
        "processing.guarantee",
        "replication.factor",
        "request.timeout.ms",
        "retries",
        "session.timeout.ms",
        "state.cleanup.delay.ms",
        "state.dir",
        "statestore.cache.max.bytes",
        "task.timeout.ms",
        "topology.optimization",
        "transaction.timeout.ms",
    ]
)
_PREFIXES = ("ksql.", "producer.", "consumer.", "admin.", "topic.", "main.consumer.", "sasl.", "ssl.", "security.")


def is_known(name: str) -> bool:
    """Whether ksqlDB, Streams or a client has a property of this name."""
    inner = plain(name)
    return inner in _CLIENT or name.startswith(_PREFIXES) or inner.startswith(_PREFIXES)


def plain(name: str) -> str:
    """The name without ``ksql.streams.``, which may be left out."""
    return name.removeprefix(STREAMS)
