"""PagePulse's own services: plain Python processes that learn their addresses from the environment."""

from __future__ import annotations

import sys
from datetime import timedelta

from deploy.local import probes
from deploy.local.component import Component
from deploy.local.components import kafka
from deploy.local.components.context import Context
from deploy.local.components.mariadb import CDC_USER, DATABASE, USER
from deploy.local.options import REPOSITORY
from deploy.local.ports import HOST, PortName
from shared import topics

#: interactive services before those that process data: a busy machine still answers
_FIRST = -10


def services(context: Context) -> list[Component]:
    """ksql, generator, collector, seeder, provisioner and dashboard."""
    brokers = kafka.names(context)
    database = {"PAGEPULSE_MYSQL_USER": USER, "PAGEPULSE_MYSQL_PASSWORD": context.state.secret("mysql_password")}
    capture = {"PAGEPULSE_CDC_USER": CDC_USER, "PAGEPULSE_CDC_PASSWORD": context.state.secret("cdc_password")}
    return [
        _service(
            context,
            "ksql",
            "ksql",
            depends_on=brokers,
            ready="/healthcheck",
            env={"PAGEPULSE_REJECTED_TOPIC": topics.REJECTED},
        ),
        _service(
            context,
            "generator",
            "Generator",
            depends_on=brokers,
            env={"PAGEPULSE_RECORDINGS": str(context.state.recordings)},
        ),
        # Without Kafka it takes events too, so it is healthy as soon as it answers.
        _service(
            context,
            "collector",
            "Collector",
            ready="/healthz",
            env={"PAGEPULSE_JOURNAL": str(context.state.data / "collector")},
        ),
        _service(context, "seeder", "Seeder", depends_on=("mariadb",), env=database),
        # Its /readyz is that of all the servers it works on, which have their own lines here.
        _service(context, "provisioner", "Provisioner", ready="/healthz", env=database | capture, niceness=_FIRST),
        _service(context, "dashboard", "Dashboard", ready="/_stcore/health", niceness=_FIRST),
    ]


def _service(
    context: Context,
    name: PortName,
    title: str,
    *,
    ready: str = "/readyz",
    env: dict[str, str] | None = None,
    depends_on: tuple[str, ...] = (),
    niceness: int = 0,
) -> Component:
    url = context.ports.url(name)
    own = {"PAGEPULSE_HOST": HOST, "PAGEPULSE_PORT": str(context.ports[name])}
    return Component(
        name=name,
        title=title,
        command=(sys.executable, "-m", f"services.{name}"),
        cwd=REPOSITORY,
        env={**_addresses(context), **own, **(env or {})},
        ports=(context.ports[name],),
        url=url,
        depends_on=depends_on,
        niceness=niceness,
        health=probes.http(url + ready),
        stop_within=timedelta(seconds=10),
    )


def _addresses(context: Context) -> dict[str, str]:
    """Addresses of all servers, under the names that the services' settings read."""
    ports, options = context.ports, context.options
    urls: dict[str, PortName] = {
        "GENERATOR": "generator",
        "COLLECTOR": "collector",
        "SEEDER": "seeder",
        "PROVISIONER": "provisioner",
        "KSQL": "ksql",
        "CONNECT": "connect",
        "PINOT_CONTROLLER": "pinot_controller",
        "PINOT_BROKER": "pinot_broker",
        "DASHBOARD": "dashboard",
    }
    return {
        "PYTHONUNBUFFERED": "1",
        "PAGEPULSE_KAFKA_BOOTSTRAP": context.bootstrap,
        "PAGEPULSE_REPLICATION_FACTOR": str(options.replication),
        "PAGEPULSE_MIN_INSYNC_REPLICAS": str(options.min_insync),
        "PAGEPULSE_MYSQL_HOST": HOST,
        "PAGEPULSE_MYSQL_PORT": str(ports["mariadb"]),
        "PAGEPULSE_MYSQL_DATABASE": DATABASE,
        **{f"PAGEPULSE_{name}_URL": ports.url(port) for name, port in urls.items()},
    }
