"""The soak's verdict: what grows is found, what only scatters is not."""

from __future__ import annotations

import random
from typing import Any

from benchmarks.soak_report import plots, slopes


def samples(memory: float, grows_per_hour: float, scatter: float = 1.0) -> list[dict[str, Any]]:
    rng = random.Random(1)
    return [
        {
            "t": 10.0 * n,
            "memory_mib": {"ksql": memory + grows_per_hour * n / 360 + rng.uniform(-scatter, scatter)},
            "files": {"ksql": 50},
            "lag": n % 7,
            "freshness_ms": 500 if n else None,
        }
        for n in range(180)
    ]


def grows(found: list[dict[str, Any]]) -> dict[str, bool]:
    return {slope["kind"]: slope["grows"] for slope in found}


def test_steady_memory_does_not_grow() -> None:
    assert grows(slopes(samples(200, 0))) == {"memory_mib": False, "files": False}


def test_steady_growth_is_found_with_its_slope() -> None:
    memory, _ = slopes(samples(200, 60))
    assert memory["grows"]
    assert abs(memory["per_hour"] - 60) < 5


def test_what_only_scatters_is_not_growth() -> None:
    assert not grows(slopes(samples(200, 30, scatter=100)))["memory_mib"]


def test_a_component_that_came_back_in_between_is_measured_where_it_is() -> None:
    seen = samples(200, 0)
    for sample in seen[100:110]:
        del sample["memory_mib"]["ksql"], sample["files"]["ksql"]
    assert grows(slopes(seen)) == {"memory_mib": False, "files": False}


def test_the_plots_are_there() -> None:
    seen = samples(200, 0)
    for sample in seen:
        for name in (
            "kafka1",
            "kafka2",
            "kafka3",
            "connect",
            "pinot",
            "mariadb",
            "generator",
            "seeder",
            "provisioner",
            "dashboard",
        ):
            sample["memory_mib"][name] = 100.0
    made = plots({"samples": seen})
    assert set(made) == {"soak-memory-servers.svg", "soak-memory-services.svg", "soak-files.svg", "soak-flow.svg"}
    assert made["soak-memory-services.svg"].count("<polyline") == 5
