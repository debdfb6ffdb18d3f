"""What an event leaves behind at each stage: records, bytes per record, state, rows. These are the facts that `pagepulse size` counts with.

    python -m benchmarks.footprint --dir DIR [--rate 2000] [--seconds 60] [--json FILE] [--write-docs]

Needs a stack (``pagepulse up --detach --dir DIR``) that has made nothing yet: sizes are those of whole topics.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import httpx
import uvloop

from benchmarks.document import machine_line, table, write_section
from benchmarks.harness import arguments, machine, report, write_json
from deploy.local.options import Options
from deploy.local.ports import Ports
from deploy.local.state import State
from shared import topics
from shared.kafka import end_offsets
from tests.integration.comparison import DIMENSIONS

SCALING: Final = Path(__file__).parents[1] / "docs" / "scaling.md"
_STATE_TOPIC: Final = "_pagepulse-ksql-default__state"
#: so that what is under way has been joined, counted and written
_SETTLE_S: Final = 5.0
_COLUMNS: Final = ("topic", "records", "bytes on disk per record")


async def main() -> None:
    parser = arguments("What an event leaves behind at each stage.")
    parser.add_argument("--dir", type=Path, required=True, help="the stack's folder")
    parser.add_argument("--rate", type=float, default=2_000.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--write-docs", action="store_true", help="put the result into docs/scaling.md")
    options = parser.parse_args()
    state = State(options.dir)
    ports = Ports(Options.read(state.read_run()["options"]).port_offset)
    async with httpx.AsyncClient(timeout=30) as http:
        await _load(http, ports, options.rate, options.seconds)
        result = {
            "seconds": options.seconds,
            "topics": await _topics(state, ports),
            "pinot": {name: await _rows(http, ports, name) for name in DIMENSIONS},
            "machine": machine(),
        }
    rows = _rows_of_topics(result)
    report("On the disk of one broker", _COLUMNS, rows)
    report("In Pinot", ("table", "rows", "records consumed"), _rows_of_pinot(result))
    write_json(options.json, result)
    if options.write_docs:
        write_section("footprint", section(result), SCALING)


async def _load(http: httpx.AsyncClient, ports: Ports, rate: float, seconds: float) -> None:
    generator = f"{ports.url('generator')}/generator"
    (await http.post(f"{generator}/start", json={"rate": rate})).raise_for_status()
    try:
        await asyncio.sleep(seconds)
    finally:
        await http.post(f"{generator}/stop")
    await asyncio.sleep(_SETTLE_S)


async def _topics(state: State, ports: Ports) -> dict[str, dict[str, int]]:
    """Records and bytes of each topic. With as many replicas as brokers, the first broker has a copy of everything."""
    names = (*topics.SOURCE_TOPICS, *topics.SINK_TOPICS, _STATE_TOPIC)
    ends = await end_offsets(ports.bootstrap(3), names)
    logs = state.data / "kafka1"
    return {
        name: {
            "records": sum(end for partition, end in ends.items() if partition.topic == name),
            "bytes": sum(log.stat().st_size for log in logs.glob(f"{name}-*/*.log")),
        }
        for name in names
    }


async def _rows(http: httpx.AsyncClient, ports: Ports, name: str) -> dict[str, int]:
    """Rows that a query sees, and what was consumed for them (every update of a row is a record)."""
    counted = {}
    for what, option in (("rows", ""), ("records", " option(skipUpsert=true)")):
        answer = await http.post(
            f"{ports.url('pinot_broker')}/query/sql", json={"sql": f"select count(*) from {name}{option}"}
        )
        counted[what] = int(answer.json()["resultTable"]["rows"][0][0])
    return counted


def _rows_of_topics(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (name, f"{found['records']:,}", f"{found['bytes'] / found['records']:.0f}" if found["records"] else "-")
        for name, found in result["topics"].items()
    ]


def _rows_of_pinot(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(name, f"{found['rows']:,}", f"{found['records']:,}") for name, found in result["pinot"].items()]


def section(result: dict[str, Any]) -> str:
    return f"""`python -m benchmarks.footprint --dir DIR --write-docs`: {result["seconds"]:g} s of load on a fresh local
stack, then the size of each topic's segments on one broker (without compression, marks of transactions counted as records) and the
rows of each table.

{table(_COLUMNS, _rows_of_topics(result))}

{table(("Pinot table", "rows", "records consumed"), _rows_of_pinot(result))}

{machine_line(result["machine"])}"""


if __name__ == "__main__":
    uvloop.run(main())
