from __future__ import annotations

from datetime import timedelta
from importlib.resources import files

import pytest

from services.seeder.settings import Settings
from services.seeder.store import Store, sql
from shared.errors import Unavailable
from tests.ports import free_port


def test_every_statement_file_is_one_statement() -> None:
    names = [file.name.removesuffix(".sql") for file in files("services.seeder").joinpath("sql").iterdir()]

    assert len(names) >= 14
    for name in names:
        assert sql(name)
        assert ";" not in sql(name)
        assert "--" not in sql(name)


async def test_an_absent_database_is_unavailable() -> None:
    port = free_port()
    store = Store(Settings(mysql_port=port, mysql_connect_timeout=timedelta(seconds=1)))

    with pytest.raises(Unavailable, match=str(port)):
        await store.ping()
    with pytest.raises(Unavailable):
        async with store.transaction():
            raise AssertionError("never reached")
    await store.aclose()
