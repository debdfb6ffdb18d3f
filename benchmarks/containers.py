"""The deployment in containers: size of the images, seconds from ``up`` until the pipeline is ready, memory of each container.

``python -m benchmarks.containers --write-docs`` (root, or DOCKER_HOST). ``make test-compose`` takes the same figures.
"""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks import harness
from benchmarks.document import machine_line, table, write_section
from tests.compose.deployment import BUILD_WITHIN_S, FOLDER, OWN, Deployment, eventually
from tests.compose.engine import engine

RATE: Final = 200
SETTLE_EVENTS: Final = RATE * 60
#: what an image may have, in MB
AIMS: Final = {**dict.fromkeys(OWN, 250), "dashboard": 450}
READY_AIM_S: Final = 120
_UNITS: Final = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def measure(deployment: Deployment, ready_s: float) -> dict[str, Any]:
    """The figures of a deployment that runs under load. Bytes for images and memory."""
    images = {
        name: int(deployment.docker("image", "inspect", "--format", "{{.Size}}", f"pagepulse-{name}:0.1.0"))
        for name in OWN
    }
    names = {deployment.name(service): service for service in deployment.running()}
    said = deployment.docker("stats", "--no-stream", "--format", "{{json .}}", *names)
    memory = {names[row["Name"]]: _memory(row["MemUsage"]) for row in map(json.loads, said.splitlines())}
    return {"images": images, "ready_s": ready_s, "memory": memory, "machine": harness.machine()}


def _memory(usage: str) -> tuple[int, int]:
    """Used and allowed, of ``170.1MiB / 1GiB``."""
    used, allowed = (
        int(float(number) * _UNITS[unit]) for number, unit in re.findall(r"([\d.]+)(B|KiB|MiB|GiB)\b", usage)
    )
    return used, allowed


def section(result: dict[str, Any]) -> str:
    images = [(name, f"{size / 1e6:.0f}", str(AIMS[name])) for name, size in result["images"].items()]
    memory = [
        (name, f"{used / 2**20:.0f}", f"{allowed / 2**20:.0f}", f"{100 * used / allowed:.0f} %")
        for name, (used, allowed) in sorted(result["memory"].items())
    ]
    total = sum(used for used, _ in result["memory"].values()) / 2**20
    return f"""## Containers

`python -m benchmarks.containers --write-docs`, or `make test-compose` with `PAGEPULSE_WRITE_DOCS=1`: the deployment of
[deploy/compose](../deploy/compose) with the profiles `embedded` and `observability`, on images that were made without an image
registry ([no-registry.md](no-registry.md)): Debian's Python 3.11 and Java 17, Pinot 0.11, MariaDB.

From `up`, with the images built, until the pipeline was provisioned and ready: {result["ready_s"]:.0f} s (aim: {READY_AIM_S} s).

{table(("image", "MB", "aim"), images)}

Memory at {RATE} events/s, without the page cache; all together {total:,.0f} MiB.

{table(("container", "MiB", "limit, MiB", "used"), memory)}

{machine_line(result["machine"])}"""


def main() -> None:
    parser = harness.arguments(__doc__ or "")
    parser.add_argument("--write-docs", action="store_true", help="write the section of docs/performance.md")
    options = parser.parse_args()
    with engine() as host, tempfile.TemporaryDirectory() as folder:
        deployment = Deployment(host, Path(folder))
        deployment.run(FOLDER / "env.sh", folder)
        deployment.run(FOLDER / "images" / "build.sh", within_s=BUILD_WITHIN_S)
        deployment.compose("build", *OWN, within_s=BUILD_WITHIN_S)
        try:
            with deployment.step("ready"):
                deployment.up()
                eventually(lambda: bool(deployment.status("provisioner")["ready"]), "the pipeline is ready")
            deployment.generate(more=SETTLE_EVENTS)
            result = measure(deployment, dict(deployment.steps)["ready"])
        finally:
            deployment.compose("--profile", "*", "down", "--volumes", check=False)
    harness.write_json(options.json, result)
    print(section(result))
    if options.write_docs:
        write_section("containers", section(result))


if __name__ == "__main__":
    main()
