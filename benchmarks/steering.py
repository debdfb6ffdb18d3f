"""How soon the generator follows a new rate: asked and achieved rate over time, as JSON and as a chart.

    python -m benchmarks.steering [--json FILE] [--svg FILE]

Starts three brokers of its own.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, Final

import uvloop

from benchmarks.chart import line_chart
from benchmarks.document import PERFORMANCE, machine_line, table, write_section
from benchmarks.generator import fresh_topics, prepared
from benchmarks.harness import arguments, console, machine, report, write_json
from shared.gc_tuning import tune_gc

#: (seconds from the start, events per second)
PLAN: Final = ((0.0, 1_000.0), (6.0, 10_000.0), (12.0, 3_000.0), (18.0, 20_000.0), (24.0, 500.0))
END_S: Final = 30.0
CHART: Final = PERFORMANCE.parent / "images" / "generator-steering.svg"
SAMPLE_S: Final = 0.1
#: the achieved rate is that of the last half second
WINDOW_S: Final = 0.5
#: close enough to count as arrived
TOLERANCE: Final = 0.05


async def main() -> None:
    parser = arguments("How soon the generator follows a new rate.")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the chart here")
    parser.add_argument("--write-docs", action="store_true", help="put the result and the chart into docs/")
    options = parser.parse_args()
    tune_gc()
    async with fresh_topics():
        samples = await steer()
    arrivals = [arrival(samples, begin, rate) for begin, rate in PLAN[1:]]
    report(
        "Seconds until the acknowledged rate is within 5 % of the new one",
        ("new rate, events/s", "seconds"),
        [(f"{rate:,.0f}", f"{seconds:.1f}") for (_, rate), seconds in zip(PLAN[1:], arrivals, strict=True)],
    )
    result: dict[str, Any] = {
        "arrival_s": [round(seconds, 2) for seconds in arrivals],
        "samples": [{"t": round(t, 2), "asked": asked, "achieved": round(got, 1)} for t, asked, got in samples],
        "machine": machine(),
    }
    write_json(options.json, result)
    if options.write_docs:
        rows = [(f"{rate:,.0f}", f"{seconds:.1f}") for (_, rate), seconds in zip(PLAN[1:], arrivals, strict=True)]
        write_section("generator steering", section(rows, result["machine"]))
        options.svg = options.svg or CHART
    if options.svg is not None:
        lines = {"asked": [(t, asked) for t, asked, _ in samples], "acknowledged": [(t, got) for t, _, got in samples]}
        options.svg.parent.mkdir(parents=True, exist_ok=True)
        options.svg.write_text(line_chart("The rate changed while running", "seconds", "events/s", lines))
        console.print(f"written to {options.svg}")


def section(rows: list[tuple[str, str]], facts: dict[str, Any]) -> str:
    return f"""## The generator follows a new rate

`python -m benchmarks.steering --write-docs`: the rate is changed every 6 s while running; seconds until the rate of
acknowledged events (over the last {WINDOW_S:g} s) is within {TOLERANCE:.0%} of the new one.

{table(("new rate, events/s", "seconds"), rows)}

![Asked and acknowledged rate]({CHART.relative_to(PERFORMANCE.parent)})

{machine_line(facts)}"""


async def steer() -> list[tuple[float, float, float]]:
    """Follows the plan; answers (time, asked, achieved) every tenth of a second."""
    run = await prepared(PLAN[0][1])
    run.begin()
    work = asyncio.create_task(run.work())
    began, plan = time.monotonic(), list(PLAN)
    seen: list[tuple[float, int]] = []
    samples: list[tuple[float, float, float]] = []
    while (t := time.monotonic() - began) < END_S:
        if plan and t >= plan[0][0]:
            run.set_rate(plan.pop(0)[1])
        seen.append((t, run.statistics.acknowledged))
        then, earlier = next((s for s in seen if s[0] >= t - WINDOW_S - SAMPLE_S / 2), seen[0])
        if t > then:
            samples.append((t, run.target_rate() or 0.0, (run.statistics.acknowledged - earlier) / (t - then)))
        await asyncio.sleep(SAMPLE_S)
    run.stop()
    await work
    await run.publisher.flush()
    await run.publisher.aclose()
    return samples


def arrival(samples: list[tuple[float, float, float]], begin: float, rate: float) -> float:
    """Seconds after ``begin`` at which the achieved rate first was close to ``rate``."""
    for t, asked, achieved in samples:
        if t > begin and asked == rate and abs(achieved / rate - 1) <= TOLERANCE:
            return t - begin
    return float("inf")


if __name__ == "__main__":
    uvloop.run(main())
