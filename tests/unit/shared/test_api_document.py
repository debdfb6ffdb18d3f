"""docs/api.md names every endpoint that there is, and no other."""

from __future__ import annotations

import re

from fastapi import FastAPI

from services.collector.app import create_app as create_collector
from services.generator.app import create_app as create_generator
from services.ksql.app import create_app as create_ksql
from services.provisioner.app import create_app as create_provisioner
from services.seeder.app import create_app as create_seeder
from tests.stack import REPOSITORY

PROBES = {"GET /healthz", "GET /readyz", "GET /metrics"}


def endpoints(app: FastAPI) -> set[str]:
    return {f"{method.upper()} {path}" for path, operations in app.openapi()["paths"].items() for method in operations}


def test_every_endpoint_has_a_line() -> None:
    text = (REPOSITORY / "docs" / "api.md").read_text()
    documented = set(re.findall(r"^\| `([A-Z]+ /[^`]*)` \|", text, re.MULTILINE))
    there = set[str]().union(
        *(
            endpoints(make())
            for make in (create_generator, create_collector, create_seeder, create_provisioner, create_ksql)
        )
    )
    assert documented == there - PROBES
    assert all(f"`{probe}`" in text for probe in PROBES)
