"""One description per server; ``all_components`` is the whole stack, in the order a person reads it."""

from __future__ import annotations

from deploy.local import order
from deploy.local.component import Component
from deploy.local.components import connect, kafka, mariadb, pinot, services
from deploy.local.components.context import Context


def all_components(context: Context) -> list[Component]:
    """The components that the options ask for."""
    everything = [
        *kafka.brokers(context),
        mariadb.server(context),
        pinot.zookeeper(context),
        pinot.server(context),
        connect.worker(context),
        *services.services(context),
    ]
    return order.select(everything, context.options.only) if context.options.only else everything
