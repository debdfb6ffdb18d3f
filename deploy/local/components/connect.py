"""The Kafka Connect worker, with Debezium's MariaDB connector as a plugin."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from deploy.local import cache, probes
from deploy.local.component import Component
from deploy.local.components import kafka
from deploy.local.components.context import Context
from deploy.local.ports import HOST
from deploy.local.render import render


def worker(context: Context) -> Component:
    """One distributed worker."""
    ports, conf = context.ports, context.state.conf
    properties, logging = conf / "connect.properties", conf / "connect-log4j2.xml"
    jvm = context.jvm("connect", "kafka")

    async def prepare() -> None:
        render(
            "worker.properties",
            properties,
            bootstrap=context.bootstrap,
            host=HOST,
            port=ports["connect"],
            replication=context.options.replication,
            plugins=plugins(),
        )
        render("kafka-log4j2.xml", logging)

    return Component(
        name="connect",
        title="Kafka Connect",
        command=jvm.command(
            "org.apache.kafka.connect.cli.ConnectDistributed",
            str(properties),
            heap="256m",
            properties={"log4j2.configurationFile": str(logging)},
        ),
        ports=(ports["connect"],),
        url=ports.url("connect"),
        depends_on=kafka.names(context),
        prepare=prepare,
        health=probes.http(ports.url("connect") + "/connectors"),
        stop_within=timedelta(seconds=10),
    )


def plugins() -> Path:
    """The plugin path: a folder with one folder of jars per plugin."""
    return cache.jars("connect")
