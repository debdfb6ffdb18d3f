"""A JDBC source that sends unchanged rows for ever is noticed; one that copies changes, or the table anew, is not."""

from __future__ import annotations

import pytest

from services.provisioner.kinds.connector import Connector
from services.provisioner.pipeline import build
from services.provisioner.render import load
from services.provisioner.resource import Action, Observation, State
from shared import topics
from tests.unit.provisioner.world import World

ROWS = 300


@pytest.fixture
def connector(world: World) -> Connector:
    settings = world.settings.model_copy(update={"connector": "users-source-jdbc"})
    found = next(r for r in build(load(settings), world.servers, settings) if isinstance(r, Connector))
    world.connect.config = dict(found._config)
    return found


def send(world: World, version: int) -> None:
    for user in range(ROWS):
        world.kafka.append(topics.USERS, user.to_bytes(4, "big"), b'{"age": %d}' % version, 1, user % 3)


async def looks(connector: Connector, world: World, versions: list[int]) -> list[Observation]:
    found = [await connector.observe()]
    for version in versions:
        send(world, version)
        found.append(await connector.observe())
    return found


async def test_a_source_that_repeats_itself_is_noticed(connector: Connector, world: World) -> None:
    """As MySQL's driver does on MariaDB: it asks for what is newer than a second of which it has cut the fraction."""
    states = [seen.state for seen in await looks(connector, world, [1, 1, 1])]
    assert states == [State.OK, State.OK, State.OK, State.FAILED]
    send(world, 1)
    observation = await connector.observe()
    assert (observation.action, observation.facts["repeats"]) == (Action.UNCHANGED, True), "no apply can mend it"
    assert "ConnectorRepeats" in observation.detail
    assert (await connector.observe()).state is State.OK, "it has ended"


async def test_changes_and_one_copy_of_the_whole_table_are_not_that(connector: Connector, world: World) -> None:
    assert {seen.state for seen in await looks(connector, world, [1, 2, 2, 3, 4])} == {State.OK}


async def test_change_capture_is_not_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    resources = build(load(world.settings), world.servers, world.settings)
    connector = next(r for r in resources if isinstance(r, Connector))
    world.connect.config = dict(connector._config)
    monkeypatch.setattr(world.kafka, "read", None)
    assert {seen.state for seen in await looks(connector, world, [1, 1, 1])} == {State.OK}
