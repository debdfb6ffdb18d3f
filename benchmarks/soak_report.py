"""What a soak says: slopes with a verdict, and plots for docs/reliability.md."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.chart import Points, line_chart
from benchmarks.document import RELIABILITY, machine_line, table, write_section
from benchmarks.harness import console, report

IMAGES: Final = RELIABILITY.parent / "images"
#: components of a kind share a plot
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "servers": ("kafka1", "kafka2", "kafka3", "connect", "pinot", "mariadb"),
    "services": ("ksql", "generator", "seeder", "provisioner", "dashboard"),
}
#: more growth than this per hour, in the second half, and beyond what the points scatter, is growth
_GROWTH_PER_HOUR: Final = {"memory_mib": 0.10, "files": 0.05}
_UNITS: Final = {"memory_mib": "MiB/h", "files": "files/h"}

Sample = dict[str, Any]
Slope = dict[str, Any]


def slopes(samples: Sequence[Sample]) -> list[Slope]:
    """One per component and kind: the slope per hour of the second half, with the standard error of it. ``grows``: the slope is
    more than a tenth (of memory; a twentieth of files) of the mean per hour, and more than three standard errors."""
    half = samples[len(samples) // 2 :]
    found = []
    for kind, allowed in _GROWTH_PER_HOUR.items():
        for name in half[-1][kind]:
            points = [(s["t"] / 3600, s[kind][name]) for s in half if name in s[kind]]
            per_hour, error = _line(points)
            mean = float(np.mean([y for _, y in points]))
            grows = per_hour > allowed * mean and per_hour > 3 * error
            found.append(
                {
                    "component": name,
                    "kind": kind,
                    "mean": round(mean, 1),
                    "per_hour": round(per_hour, 1),
                    "error": round(error, 1),
                    "grows": grows,
                }
            )
    return found


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Slope of the least-squares line and its standard error; (0, infinity) for fewer than three points."""
    if len(points) < 3:
        return 0.0, math.inf
    x, y = np.array(points).T
    slope, offset = np.polyfit(x, y, 1)
    rest = y - (slope * x + offset)
    spread = float(((x - x.mean()) ** 2).sum())
    return float(slope), math.sqrt(float((rest**2).sum()) / (len(points) - 2) / spread)


_COLUMNS: Final = ("component", "memory, MiB", "slope, MiB/h", "open files", "slope, files/h", "verdict")


def _rows(result: dict[str, Any]) -> list[tuple[str, ...]]:
    by_name: dict[str, dict[str, Slope]] = {}
    for slope in result["slopes"]:
        by_name.setdefault(slope["component"], {})[slope["kind"]] = slope
    return [
        (
            name,
            f"{kinds['memory_mib']['mean']:,.0f}",
            f"{kinds['memory_mib']['per_hour']:+,.0f} ± {kinds['memory_mib']['error']:,.0f}",
            f"{kinds['files']['mean']:,.0f}",
            f"{kinds['files']['per_hour']:+,.0f} ± {kinds['files']['error']:,.0f}",
            "**grows**" if any(kind["grows"] for kind in kinds.values()) else "steady",
        )
        for name, kinds in by_name.items()
    ]


def show(result: dict[str, Any]) -> None:
    report("Second half: mean and slope", _COLUMNS, _rows(result))
    console.print(f"audit at the end: {'equal' if result['equal'] else 'differs'}")


def _series(samples: Sequence[Sample], kind: str, name: str) -> Points:
    return [(s["t"] / 60, s[kind][name]) for s in samples if name in s[kind]]


def plots(result: dict[str, Any]) -> dict[str, str]:
    """SVG by file name."""
    samples = result["samples"]
    made = {
        f"soak-memory-{group}.svg": line_chart(
            f"Resident memory of the {group}", "minutes", "MiB", {n: _series(samples, "memory_mib", n) for n in names}
        )
        for group, names in GROUPS.items()
    }
    everything = [name for names in GROUPS.values() for name in names]
    files = [(s["t"] / 60, float(sum(s["files"].get(name, 0) for name in everything))) for s in samples]
    made["soak-files.svg"] = line_chart("Open files of all components", "minutes", "files", {"open files": files})
    known = [s for s in samples if s["freshness_ms"] is not None]
    flow = {
        "freshness, ms": [(s["t"] / 60, float(s["freshness_ms"])) for s in known],
        "records not read": [(s["t"] / 60, float(s["lag"])) for s in known],
    }
    made["soak-flow.svg"] = line_chart("Freshness and lag", "minutes", "", flow)
    return made


def write_docs(result: dict[str, Any], images: Path = IMAGES) -> None:
    pictures = plots(result)
    for name, picture in pictures.items():
        (images / name).write_text(picture)
    shown = "\n\n".join(f"![{name.removesuffix('.svg')}](images/{name})" for name in pictures)
    text = f"""## The soak

`python -m benchmarks.soak --minutes {result["minutes"]:g} --write-docs` (`make soak MINUTES=30`): {result["minutes"]:g} minutes at
{result["rate"]:,.0f} events/s with flawed events and changing users, a sample every 10 s. Slopes are those of the second half, with their
standard error. The audit at the end: {"equal" if result["equal"] else "**differs**"}.

{table(_COLUMNS, _rows(result))}

{shown}

{machine_line(result["machine"])}"""
    write_section("soak", text, RELIABILITY)
