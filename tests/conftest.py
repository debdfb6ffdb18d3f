"""Fixtures for every test. ``stack`` starts the real servers once per run, and only if a test asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import stack as local_stack
from tests.stack import Stack


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
