"""What a test with ``services.ksql.testing`` waits for: the import, and a topology of the pipeline's statements.

    python -m benchmarks.ksql_testing [--turns N] [--json FILE] [--write-docs]

Each turn is a process of its own, with the bytecode of an earlier one as every installed package has it. CPU time of the process.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from typing import Any, Final

import orjson

from benchmarks.document import PERFORMANCE, table, write_section
from benchmarks.harness import arguments, console, machine, median, report, write_json
from services.provisioner.render import load
from services.provisioner.settings import Settings

_DOCS: Final = PERFORMANCE.with_name("ksql-testing.md")
_TURN_S: Final = 120.0
_TURN: Final = """
import json, sys, time
statements = sys.stdin.read()
modules, start = len(sys.modules), time.process_time()
from services.ksql import testing as ksql
imported = time.process_time()
with ksql.topology(statements) as t:
    ready = time.process_time()
    result = {"import_ms": imported - start, "first_ms": ready - imported, "queries": len(t.queries)}
start = time.process_time()
with ksql.topology(statements):
    result["next_ms"] = time.process_time() - start
result |= {name: 1000 * value for name, value in result.items() if name.endswith("_ms")}
print(json.dumps(result | {"modules": len(sys.modules) - modules}))
"""


def turn(statements: str, bytecode: str) -> dict[str, Any]:
    """One process: CPU milliseconds, and counts."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(
        [sys.executable, "-c", _TURN],
        input=statements,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=_TURN_S,
    )
    result: dict[str, Any] = orjson.loads(done.stdout)
    return result


def measure(turns: int) -> dict[str, Any]:
    statements = [text for _, text in load(Settings()).statements]
    text = "\n".join(statements)
    with tempfile.TemporaryDirectory() as bytecode:
        turn(text, bytecode)
        measured = [turn(text, bytecode) for _ in range(turns)]
    times = {name: round(median([each[name] for each in measured]), 1) for name in measured[0] if name.endswith("_ms")}
    counts = {name: measured[0][name] for name in ("modules", "queries")}
    return {**times, **counts, "statements": len(statements), "turns": turns, "machine": machine()}


def rows(result: dict[str, Any]) -> list[list[str]]:
    return [
        ["import services.ksql.testing", f"{result['import_ms']:.0f}"],
        ["first topology of the process", f"{result['first_ms']:.0f}"],
        ["import and first topology", f"{result['import_ms'] + result['first_ms']:.0f}"],
        ["each further topology", f"{result['next_ms']:.0f}"],
    ]


def document(result: dict[str, Any]) -> str:
    return (
        f"`python -m benchmarks.ksql_testing --write-docs`: CPU milliseconds for the pipeline's {result['statements']} statements "
        f"({result['queries']} queries), median of {result['turns']} processes with compiled bytecode; the import brings "
        f"{result['modules']} modules, those of the standard library included. Machine: {result['machine']['cores']} cores, Python "
        f"{result['machine']['python']}.\n\n"
        f"{table(['', 'CPU ms'], rows(result))}"
    )


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--turns", type=int, default=9, metavar="N", help="processes (default 9)")
    parser.add_argument("--write-docs", action="store_true", help="put the result into docs/ksql-testing.md")
    options = parser.parse_args()
    start = time.monotonic()
    result = measure(options.turns)
    report("Tests of KSQL statements", ["", "CPU ms"], rows(result))
    console.print(f"{result['modules']} modules; {result['statements']} statements; {time.monotonic() - start:.0f} s")
    write_json(options.json, result)
    if options.write_docs:
        write_section("ksql testing", document(result), _DOCS)


if __name__ == "__main__":
    main()
