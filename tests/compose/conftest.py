"""One deployment in containers for the whole folder, and a summary of how long each step of a user's session took."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.deployment import BUILD_WITHIN_S, FOLDER, OWN, Deployment
from tests.compose.engine import engine

_STEPS = pytest.StashKey[list[tuple[str, float]]]()


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Deployment]:
    """The deployment with its images built and nothing started. What is left of it goes in the end.

    PAGEPULSE_TEST_COMPOSE=FOLDER (with the .env in it) uses what runs already, for work on the tests, and leaves it alone.
    """
    steps = pytestconfig.stash.setdefault(_STEPS, [])
    given = os.environ.get("PAGEPULSE_TEST_COMPOSE")
    with engine() as host:
        made = Deployment(host, Path(given) if given else tmp_path_factory.mktemp("compose"), steps)
        if given:
            yield made
            return
        made.run(FOLDER / "env.sh", made.folder)
        with made.step("images of the servers"):
            made.run(FOLDER / "images" / "build.sh", within_s=BUILD_WITHIN_S)
        with made.step("images of the services"):
            made.compose("build", *OWN, within_s=BUILD_WITHIN_S)
        try:
            yield made
        finally:
            made.compose("--profile", "*", "down", "--volumes", "--timeout", "20", check=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """How long each step took."""
    steps = config.stash.get(_STEPS, [])
    if steps:
        terminalreporter.section("steps")
        for what, seconds in steps:
            terminalreporter.write_line(f"{seconds:7.1f} s  {what}")
