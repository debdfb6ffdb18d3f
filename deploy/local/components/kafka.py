"""The Kafka brokers: each is broker and controller of one KRaft quorum."""

from __future__ import annotations

import base64
import dataclasses
import uuid
from datetime import timedelta
from functools import partial
from pathlib import Path

from deploy.local import probes
from deploy.local.component import Component, run_to_end
from deploy.local.components.context import Context
from deploy.local.errors import ComponentFailed
from deploy.local.ports import HOST
from deploy.local.render import render
from deploy.local.state import write_atomically

FORMAT_WITHIN = timedelta(minutes=10)


def brokers(context: Context) -> list[Component]:
    """kafka1, kafka2, ..."""
    return [_broker(context, node) for node in range(1, context.options.brokers + 1)]


def names(context: Context) -> tuple[str, ...]:
    """The names of all brokers."""
    return tuple(f"kafka{node}" for node in range(1, context.options.brokers + 1))


def _broker(context: Context, node: int) -> Component:
    name = f"kafka{node}"
    ports, conf = context.ports, context.state.conf
    properties, logging = conf / f"{name}.properties", conf / "kafka-log4j2.xml"
    jvm = context.jvm("kafka", "kafka")
    return Component(
        name=name,
        title=f"Kafka broker {node}",
        command=jvm.command(
            "kafka.Kafka", str(properties), heap="256m", properties={"log4j2.configurationFile": str(logging)}
        ),
        ports=(ports.kafka(node), ports.kafka_controller(node)),
        prepare=partial(_prepare, context, node, properties, logging),
        health=probes.kafka(f"{HOST}:{ports.kafka(node)}", node),
        stop_within=timedelta(seconds=15),
    )


async def _prepare(context: Context, node: int, properties: Path, logging: Path) -> None:
    data = context.state.data / f"kafka{node}"
    nodes = range(1, context.options.brokers + 1)
    render(
        "server.properties",
        properties,
        node=node,
        host=HOST,
        port=context.ports.kafka(node),
        controller_port=context.ports.kafka_controller(node),
        voters=",".join(f"{n}@{HOST}:{context.ports.kafka_controller(n)}" for n in nodes),
        data=data,
        replication=context.options.replication,
        min_insync=context.options.min_insync,
    )
    render("kafka-log4j2.xml", logging)
    if (data / "meta.properties").exists():
        return
    log = context.state.log(f"kafka{node}")
    format_data = dataclasses.replace(context.jvm("kafka", "kafka"), record=False).command(
        "kafka.tools.StorageTool",
        "format",
        "-t",
        cluster_id(context),
        "-c",
        str(properties),
        "--ignore-formatted",
        heap="128m",
    )
    code = await run_to_end(format_data, log=log, deadline=FORMAT_WITHIN)
    if code != 0:
        raise ComponentFailed(f"kafka{node}", f"its data folder cannot be formatted (exit code {code})", log=log)


def cluster_id(context: Context) -> str:
    """One for all brokers, made at the first start: a random UUID in Kafka's URL-safe base 64."""
    path = context.state.data / "cluster.id"
    if not path.exists():
        write_atomically(path, random_uuid())
    return path.read_text()


def random_uuid() -> str:
    """Never one that begins with a dash, which the format tool would take for an option."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text
