"""What the commands import, which is most of their cost. Each is run in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.state import State
from tests.patience import STEP_S

#: what costs more to import than click and the commands' own modules
HEAVY = {
    *(
        "aiokafka",
        "aiomysql",
        "asyncio",
        "cryptography",
        "fastapi",
        "httpx",
        "importlib.metadata",
        "jinja2",
        "numpy",
        "orjson",
    ),
    *("prometheus_client", "psutil", "pydantic", "pygments", "pymysql", "rich", "ssl", "structlog", "typer", "yaml"),
}


def imported_by(*arguments: str) -> set[str]:
    code = (
        "import sys\nfrom deploy.local.cli import app\n"
        f"try: app({list(arguments)!r})\nexcept SystemExit: pass\nprint('\\n' + ' '.join(n for n, m in sys.modules.items() if m))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=STEP_S)
    return set(done.stdout.splitlines()[-1].split())


def test_help_imports_click_and_little_else() -> None:
    """What it imports is what it costs: 0.1 s of CPU, where importing every server's client was 1 s and more."""
    found = imported_by("--help")
    assert "click" in found
    assert not found & HEAVY
    assert {name for name in found if name.startswith("deploy.")} == {
        *("deploy.local", "deploy.local.cli", "deploy.local.cli_events", "deploy.local.cli_pipeline"),
        *("deploy.local.cli_ksql", "deploy.local.cli_size", "deploy.local.errors", "deploy.local.terminal"),
    }


@pytest.mark.parametrize("command", [("logs", "kafka1"), ("status",), ("down",)], ids=lambda command: command[0])
def test_a_light_command_imports_no_client_of_a_server(tmp_path: Path, command: tuple[str, ...]) -> None:
    state = State(tmp_path)
    state.make()
    state.log("kafka1").write_text("one\n")
    assert not imported_by(*command, "--dir", str(tmp_path)) & {
        "aiokafka",
        "aiomysql",
        "httpx",
        "jinja2",
        "pydantic",
        "rich",
    }


def test_the_client_of_the_services_brings_no_command_line_of_its_own() -> None:
    code = "import sys, deploy.local.client; print('rich' in sys.modules, 'pygments' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=STEP_S)
    assert done.stdout.split() == ["False", "False"]
