"""The three control planes over stand-ins for their servers, each with every route that takes a body."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from asgi_lifespan import LifespanManager
from fastapi import FastAPI

from services.generator.app import create_app as create_generator
from services.generator.settings import Settings as GeneratorSettings
from services.provisioner.app import create_app as create_provisioner
from services.seeder.app import create_app as create_seeder
from services.seeder.settings import Settings as SeederSettings
from tests.patience import STEP_S
from tests.unit.generator.fakes import FakeBroker, seeder
from tests.unit.provisioner.world import World
from tests.unit.seeder.fakes import MemoryStore

SERVICES = ("generator", "seeder", "provisioner")

BODIES = (
    ("generator", "POST", "/generator/start"),
    ("generator", "PUT", "/generator/rate"),
    ("generator", "PUT", "/generator/profile"),
    ("seeder", "POST", "/seeder/seed"),
    ("seeder", "POST", "/seeder/mutations"),
    ("provisioner", "POST", "/provisioner/teardown"),
)


def make(service: str) -> FastAPI:
    if service == "generator":
        return create_generator(GeneratorSettings(), FakeBroker(), seeder(10))
    if service == "seeder":
        return create_seeder(SeederSettings(), MemoryStore())
    if service != "provisioner":
        raise ValueError(f"no app {service!r}; there are {', '.join(SERVICES)}")
    world = World()
    return create_provisioner(world.settings, world.servers)


@asynccontextmanager
async def client_of(service: str) -> AsyncIterator[httpx.AsyncClient]:
    app = make(service)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        LifespanManager(app, startup_timeout=STEP_S, shutdown_timeout=STEP_S),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        yield client
