"""Fixtures of the provisioner's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stamina

from tests.unit.provisioner.world import IMPATIENCE, World


@pytest.fixture
def world() -> World:
    """Empty servers."""
    return World()


@pytest.fixture
def impatient_world() -> World:
    """Empty servers, with clients that soon give up waiting: for tests of what never comes."""
    return World(IMPATIENCE)


@pytest.fixture(autouse=True)
def quick_retries() -> Iterator[None]:
    """Retries happen, but nobody waits for them."""
    with stamina.set_testing(True, attempts=5, cap=True):
        yield
