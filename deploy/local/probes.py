"""Health probes: each asks a server something that only a working one can answer, and raises if it does not.

The clients are imported by the probe that uses them: commands that describe the components and ask nothing do without.
"""

from __future__ import annotations

import asyncio
import logging

from deploy.local.component import Probe
from deploy.local.ports import HOST

ANSWER_SECONDS = 15.0
"""A server on a busy machine may take long to answer; one that does not listen refuses at once."""


# A broker that is not up yet is what a probe is for; the client's log would repeat it several times a second.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


class NotHealthy(Exception):
    """The server answers, but not that it is well."""


def http(url: str) -> Probe:
    """Healthy if GET ``url`` answers 200."""

    async def probe() -> None:
        import httpx

        from deploy.local.client import NO_AUTHORITIES

        async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False, verify=NO_AUTHORITIES) as client:
            response = await client.get(url)
        if response.status_code != 200:
            raise NotHealthy(f"{url} answered {response.status_code} {response.text[:200]}")

    return probe


def every(*probes: Probe) -> Probe:
    """Healthy if all are."""

    async def probe() -> None:
        await asyncio.gather(*(one() for one in probes))

    return probe


def kafka(address: str, node: int) -> Probe:
    """Healthy if the broker answers a metadata request and the cluster's quorum has let it in."""

    async def probe() -> None:
        from aiokafka.client import AIOKafkaClient

        client = AIOKafkaClient(bootstrap_servers=address, request_timeout_ms=int(ANSWER_SECONDS * 1000))
        try:
            await client.bootstrap()
            if node not in {broker.nodeId for broker in client.cluster.brokers()}:
                raise NotHealthy(f"node {node} is not in the cluster yet")
        finally:
            await client.close()

    return probe


def mariadb(port: int, user: str, password: str, database: str) -> Probe:
    """Healthy if the application's user can query its database."""

    async def probe() -> None:
        import aiomysql

        async with asyncio.timeout(ANSWER_SECONDS):
            connection = await aiomysql.connect(host=HOST, port=port, user=user, password=password, db=database)
            try:
                async with connection.cursor() as cursor:
                    await cursor.execute("SELECT 1")
            finally:
                connection.close()

    return probe


def zookeeper(port: int) -> Probe:
    """Healthy if it answers the command ``srvr``."""

    async def probe() -> None:
        answer = await ask_zookeeper(port, "srvr")
        if "Mode:" not in answer:
            raise NotHealthy(f"answered {answer[:80]!r}")

    return probe


async def ask_zookeeper(port: int, command: str) -> str:
    """The answer to a four-letter command."""
    async with asyncio.timeout(ANSWER_SECONDS):
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            writer.write(command.encode())
            return (await reader.read()).decode(errors="replace")
        finally:
            writer.close()
