"""ZooKeeper, and Pinot's controller, broker and server in one process."""

from __future__ import annotations

import re
from datetime import timedelta
from functools import partial
from typing import Any

from deploy.local import probes
from deploy.local.component import Component
from deploy.local.components.context import Context
from deploy.local.ports import HOST
from deploy.local.render import render
from deploy.local.waiting import until

SESSION_TIMEOUT = timedelta(seconds=6)
SESSIONS_EXPIRE_WITHIN = 2 * SESSION_TIMEOUT
"""ZooKeeper notices the end of a session one tick late, and counts anew when it has been restarted itself."""


def zookeeper(context: Context) -> Component:
    """ZooKeeper, which only Pinot uses."""
    state, port = context.state, context.ports["zookeeper"]
    config, logging = state.conf / "zoo.cfg", state.conf / "zookeeper-log4j2.xml"

    async def prepare() -> None:
        render("zoo.cfg", config, data=state.data / "zookeeper", host=HOST, port=port)
        render("pinot-log4j2.xml", logging)

    return Component(
        name="zookeeper",
        title="ZooKeeper",
        command=context.jvm("zookeeper", "pinot").command(
            "org.apache.zookeeper.server.ZooKeeperServerMain",
            str(config),
            heap="128m",
            properties={"log4j2.configurationFile": str(logging)},
        ),
        ports=(port,),
        prepare=prepare,
        health=probes.zookeeper(port),
    )


def server(context: Context) -> Component:
    """The three roles of Pinot.

    Its own way of stopping is slow (each consuming segment is closed), and killing it loses nothing: it reads again from Kafka.
    """
    ports, conf, data = context.ports, context.state.conf, context.state.data / "pinot"
    roles = {role: conf / f"pinot-{role}.conf" for role in ("controller", "broker", "server")}
    logging = conf / "pinot-log4j2.xml"

    async def prepare() -> None:
        await until(partial(_forgotten, ports["zookeeper"]), SESSIONS_EXPIRE_WITHIN)
        common: dict[str, Any] = {"host": HOST, "zookeeper": context.zookeeper}
        render(
            "controller.conf", roles["controller"], port=ports["pinot_controller"], data=data / "controller", **common
        )
        render("broker.conf", roles["broker"], port=ports["pinot_broker"], **common)
        render(
            "server.conf",
            roles["server"],
            port=ports["pinot_server"],
            admin_port=ports["pinot_server_admin"],
            data=data / "server",
            **common,
        )
        render("pinot-log4j2.xml", logging)

    return Component(
        name="pinot",
        title="Pinot",
        command=context.jvm("pinot", "pinot").command(
            "org.apache.pinot.tools.admin.PinotAdministrator",
            "StartServiceManager",
            "-zkAddress",
            context.zookeeper,
            "-clusterName",
            "pinot",
            "-port",
            "-1",
            "-bootstrapConfigPaths",
            *(str(path) for path in roles.values()),
            heap="768m",
            properties={
                "log4j2.configurationFile": str(logging),
                "zk.session.timeout": f"{SESSION_TIMEOUT.total_seconds() * 1000:.0f}",
            },
        ),
        cwd=context.state.data,
        ports=(ports["pinot_controller"], ports["pinot_broker"], ports["pinot_server"], ports["pinot_server_admin"]),
        url=ports.url("pinot_controller"),
        depends_on=("zookeeper",),
        prepare=prepare,
        health=probes.every(
            *(
                probes.http(f"{ports.url(name)}/health")
                for name in ("pinot_controller", "pinot_broker", "pinot_server_admin")
            )
        ),
        stop_within=timedelta(seconds=10),
    )


async def _forgotten(zookeeper_port: int) -> bool:
    """True if no session of a Pinot that was killed holds nodes any more.

    If it finds one, Pinot sleeps for its session time-out and five seconds more, twice as long as is needed.
    """
    found = re.search(r"Sessions with Ephemerals \((\d+)\)", await probes.ask_zookeeper(zookeeper_port, "dump"))
    return found is not None and int(found[1]) == 0
