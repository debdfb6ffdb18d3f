"""The section of docs/performance.md about the embedded ksqlDB."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from benchmarks.document import machine_line, table


def document(result: dict[str, Any], events: int) -> str:
    """Markdown of everything that was measured."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("aiokafka", "orjson", "pyroaring", "uvloop"))
    parts = [
        "## Embedded ksqlDB",
        "",
        f"`python -m benchmarks.ksql --events {events} --write-docs`: page views already in a 3-broker Kafka on the same "
        "machine (5 partitions, 3 replicas), event time over 10 minutes, users by Zipf's law, 1 % late, all queries of the "
        "pipeline. The clock runs from the start of the queries to the last record in a sink, commit interval 500 ms; the "
        "benchmark compares the sinks with what must be in them. CPU and memory are those of the ksql server.",
        "",
        f"{machine_line(result['machine'])} {versions}.",
    ]
    if "variants" in result:
        parts += ["", table(("Run", "events/s", "CPU s", "CPU us/event", "peak RSS, MiB"), variant_rows(result))]
    if "stages" in result:
        stages = [(name, f"{s['share']:.1%}", f"{s['us_per_event']:.2f}") for name, s in result["stages"].items()]
        parts += [
            "",
            "Where the core's thread spends its time (sampled every 5 ms in a run of its own, with REST calls going on; "
            f"that run made {result['profiled_events_per_s']:,} events/s; waiting includes waiting for the processor):",
            "",
            table(("Stage", "share", "us/event"), stages),
            "",
            "REST meanwhile, 20 calls per second:",
            "",
            table(
                ("Call", "p50, ms", "p99, ms"),
                [(name, f"{r['p50']:g}", f"{r['p99']:g}") for name, r in result["rest_ms"].items()],
            ),
        ]
    if "pace" in result:
        pace = result["pace"]
        parts += [
            "",
            f"At {pace['events_per_s']} events/s the server uses {pace['cpu_share']:.1%} of a core "
            f"({pace['idle_cpu_share']:.1%} with no events). From event to sink:",
            "",
            table(
                ("Sink", "p50, ms", "p99, ms"),
                [(topic, f"{v['p50']:g}", f"{v['p99']:g}") for topic, v in pace["latency_ms"].items()],
            ),
        ]
    return "\n".join(parts)


def variant_rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    """One row per run: its name, events/s, CPU s, CPU us/event, peak RSS in MiB."""
    return [
        (
            run["name"],
            f"{run['events_per_s']:,}",
            f"{run['cpu_s']:.1f}",
            f"{run['cpu_us_per_event']:.1f}",
            f"{run['peak_rss_bytes'] / 2**20:.0f}",
        )
        for run in result["variants"]
    ]
