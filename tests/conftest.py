"""Fixtures for every test. ``stack`` starts the real servers once per run, and only if a test asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import stack as local_stack
from tests.drill import DRILL
from tests.stack import Stack

# A test says whether something is right; how fast a busy machine is must not fail it, nor must chance: every run tries the same
# examples. `make drill` tries new ones.
_UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("repeatable", _UNTIMED, derandomize=True, database=None)
settings.register_profile("drill", _UNTIMED)
settings.load_profile("drill" if DRILL else "repeatable")

#: where tests on the stack are: `make test` collects them without importing all the others
_STACK_FOLDERS = ("integration/", "browser/")

#: The order of what shares the one stack: first what needs its users as they were seeded, last what people would do to it.
_ON_THE_STACK = (
    "integration/test_pipeline",
    "integration/ksql",
    "integration/generator",
    "integration/seeder",
    "integration/provisioner",
    "browser",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests without servers first, so that a mistake shows before anything is started; then those on the stack, in order."""

    def turn(item: pytest.Item) -> int:
        if item.get_closest_marker("stack") is None:
            return -1
        place = item.path.relative_to(local_stack.REPOSITORY / "tests").as_posix()
        if not place.startswith(_STACK_FOLDERS):
            raise pytest.UsageError(
                f"{item.nodeid} is marked `stack`: `make test` looks for those in {_STACK_FOLDERS} only"
            )
        return next((n for n, start in enumerate(_ON_THE_STACK) if place.startswith(start)), len(_ON_THE_STACK))

    items.sort(key=turn)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole pipeline on real servers, provisioned, no load running.

    PAGEPULSE_TEST_STACK=DIR:OFFSET uses a stack that runs already (for work on the tests) and leaves it alone.
    """
    given = os.environ.get("PAGEPULSE_TEST_STACK")
    if given:
        directory, _, offset = given.rpartition(":")
        running = Stack(Path(directory), int(offset))
    else:
        running = local_stack.start(tmp_path_factory.mktemp("stack"))
    os.environ.update(running.environment())
    try:
        yield running
    finally:
        if not given:
            local_stack.stop(running)
