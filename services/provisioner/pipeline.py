"""The pipeline as a list of resources in dependency order, bound to the servers that hold them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.provisioner.clients.connect import ConnectClient
from services.provisioner.clients.kafka import KafkaClient
from services.provisioner.clients.ksql import KsqlClient
from services.provisioner.clients.pinot import PinotClient
from services.provisioner.kinds.connector import Connector
from services.provisioner.kinds.pinot_table import PinotTable
from services.provisioner.kinds.statement import Query, Source
from services.provisioner.kinds.topic import SinkTopic, Topic
from services.provisioner.render import SCHEMA_HISTORY_TOPIC, Definitions
from services.provisioner.resource import Resource
from services.provisioner.settings import Settings
from services.provisioner.statements import canonical
from shared import topics
from shared.http import create_client


@dataclass(frozen=True, slots=True)
class Servers:
    """A client for each server."""

    kafka: KafkaClient
    connect: ConnectClient
    ksql: KsqlClient
    pinot: PinotClient


@asynccontextmanager
async def connect_servers(settings: Settings) -> AsyncIterator[Servers]:
    """Clients that are closed at the end; none of them needs its server yet."""
    urls = (settings.connect_url, settings.pinot_controller_url, settings.pinot_broker_url)
    connect, controller, broker = (create_client(url, timeout=settings.call_timeout) for url in urls)
    # The embedded ksqlDB asks for the token as every service of ours does; the real one ignores it.
    ksql = create_client(settings.ksql_url, timeout=settings.call_timeout, token=settings.api_token)
    waiting = {"patience": settings.step_timeout, "poll_interval": settings.poll_interval}
    kafka = KafkaClient(settings.kafka_bootstrap, timeout=settings.call_timeout, **waiting)
    async with connect, ksql, controller, broker:
        try:
            yield Servers(
                kafka=kafka,
                connect=ConnectClient(connect, **waiting),
                ksql=KsqlClient(ksql, ddl_timeout=settings.ddl_timeout, **waiting),
                pinot=PinotClient(controller, broker, **waiting),
            )
        finally:
            await kafka.aclose()


def build(definitions: Definitions, servers: Servers, settings: Settings) -> tuple[Resource, ...]:
    """Every resource, each after all that it depends on."""
    sources = [Topic(servers.kafka, definition) for definition in definitions.topics]
    connector = Connector(
        servers.connect,
        servers.kafka,
        {key: str(value) for key, value in definitions.connector.items()},
        topic=topics.USERS,
        internal_topic=SCHEMA_HISTORY_TOPIC,
        depends_on=(f"topic:{topics.USERS}",),
    )
    resources: list[Resource] = [*sources, connector]
    resources += _statements(definitions, servers, settings, connector)
    resources += [
        PinotTable(
            servers.pinot,
            servers.kafka,
            definition,
            (f"topic:{_topic_of(definition.table)}",),
            topic=_topic_of(definition.table),
            partitions=settings.partitions,
        )
        for definition in definitions.pinot
    ]
    return tuple(resources)


def _statements(
    definitions: Definitions, servers: Servers, settings: Settings, connector: Connector
) -> Sequence[Resource]:
    """Streams, tables and queries, each sink topic right after the query that makes it.

    The users table waits for the connector: a view that comes before its user is left out of the join for good.
    """
    parsed = [(text, canonical(text)) for _, text in definitions.statements]
    read = {source for _, statement in parsed if statement.is_query for source in statement.sources}
    topic_of = {statement.name: statement.topic for _, statement in parsed}
    ids: dict[str, str] = {}
    resources: list[Resource] = []
    for text, statement in parsed:
        if not statement.is_query:
            upstream = [f"topic:{statement.topic}"] + [connector.id] * (statement.topic == topics.USERS)
            source = Source(servers.ksql, text, tuple(upstream))
            ids[statement.name] = source.id
            resources.append(source)
            continue
        query = Query(
            servers.ksql,
            servers.kafka,
            text,
            tuple(ids[name] for name in statement.sources),
            reads=tuple(topic_of[name] for name in statement.sources),
            has_readers=statement.name in read,
            patience=settings.step_timeout,
        )
        ids[statement.name] = query.id
        resources += [
            query,
            SinkTopic(
                servers.kafka,
                statement.topic,
                query.id,
                partitions=int(statement.properties["PARTITIONS"]),
                replicas=int(statement.properties["REPLICAS"]),
                patience=settings.step_timeout,
            ),
        ]
    return resources


def _topic_of(table: dict[str, object]) -> str:
    stream = table["ingestionConfig"]["streamIngestionConfig"]["streamConfigMaps"][0]  # type: ignore[index]
    return str(stream["stream.kafka.topic.name"])
