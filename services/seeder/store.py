"""The ``users`` table: all SQL that the seeder sends, over one aiomysql pool. The statements are files in ``sql/``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import aiomysql
import stamina
import structlog

from services.seeder.people import Person
from services.seeder.settings import Settings
from shared.errors import DeadlineExceeded, Unavailable
from shared.sql_files import load_sql

_log = structlog.get_logger(__name__)

#: how long the start of the service keeps trying to reach the database in the background
_WARM_UP_S = 120.0


def sql(name: str, table: str = "users") -> str:
    """The statement in ``sql/<name>.sql`` for ``table``."""
    return load_sql(__package__, name).replace("{users}", f"`{table}`")


class Store:
    """Owns the pool. Connects, and makes the table, on first use.

    Every method raises ``Unavailable`` if the database cannot be reached, and every read ``DeadlineExceeded`` if it is
    too slow.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pool: aiomysql.Pool | None = None
        self._connecting = asyncio.Lock()

    async def warm_up(self) -> None:
        """Connects, waiting for a server that is still starting."""
        async for attempt in stamina.retry_context(on=Unavailable, attempts=None, timeout=_WARM_UP_S, wait_max=2.0):
            with attempt:
                await self._connected()
        _log.info("database ready", host=self._settings.mysql_host, port=self._settings.mysql_port)

    async def aclose(self) -> None:
        if self._pool is not None:
            self._pool.terminate()
            await self._pool.wait_closed()
            self._pool = None

    async def ping(self) -> None:
        await self.fetch_one("ping")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """One transaction: committed at the end, rolled back if the block fails or is cancelled."""
        async with self._connection() as connection:
            await connection.begin()
            try:
                yield Transaction(connection, self._settings.mysql_table)
                await connection.commit()
            except asyncio.CancelledError:
                # A statement may be half way: closing is the one safe end, and the server rolls back.
                connection.close()
                raise
            except BaseException:
                await connection.rollback()
                raise

    async def fetch_all(self, name: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """All rows of the named statement."""
        deadline = self._settings.query_deadline.total_seconds()
        try:
            async with (
                asyncio.timeout(deadline),
                self._connection() as connection,
                connection.cursor(aiomysql.DictCursor) as cursor,
            ):
                await cursor.execute(sql(name, self._settings.mysql_table), parameters)
                return [_in_utc(row) for row in await cursor.fetchall()]
        except TimeoutError as error:
            raise DeadlineExceeded(
                f"The database did not answer {name!r} within {deadline:g} s", service="mysql"
            ) from error

    async def fetch_one(self, name: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The one row of a statement that always has one."""
        return (await self.fetch_all(name, parameters))[0]

    async def user_ids(self) -> list[int]:
        return [row["user_id"] for row in await self.fetch_all("user_ids")]

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        pool = await self._connected()
        with _as_unavailable(self._settings):
            async with pool.acquire() as connection:
                yield connection

    async def _connected(self) -> aiomysql.Pool:
        async with self._connecting:
            if self._pool is None:
                settings = self._settings
                with _as_unavailable(settings):
                    pool = await aiomysql.create_pool(
                        host=settings.mysql_host,
                        port=settings.mysql_port,
                        user=settings.mysql_user,
                        password=settings.mysql_password.get_secret_value(),
                        db=settings.mysql_database,
                        minsize=1,
                        maxsize=settings.mysql_pool_size,
                        connect_timeout=settings.mysql_connect_timeout.total_seconds(),
                        autocommit=True,
                        charset="utf8mb4",
                        init_command="SET time_zone = '+00:00'",
                    )
                    async with pool.acquire() as connection, connection.cursor() as cursor:
                        # The server warns when the table is there already, which is what we want.
                        await cursor.execute("SET sql_notes = 0")
                        await cursor.execute(sql("create_users", settings.mysql_table))
                        await cursor.execute("SET sql_notes = 1")
                self._pool = pool
            return self._pool


class Transaction:
    """What a writer may do inside one transaction. Each call answers how many rows it touched."""

    def __init__(self, connection: Any, table: str) -> None:
        self._connection = connection
        self._table = table

    async def count(self) -> int:
        async with self._connection.cursor() as cursor:
            await cursor.execute(sql("count_users", self._table))
            (count,) = await cursor.fetchone()
            return int(count)

    async def insert(self, people: Sequence[Person], *, first_id: int | None = None) -> int:
        """Adds people; with ``first_id`` under consecutive ids from there, else under the server's next ones."""
        if first_id is None:
            return await self._many("insert_user", people)
        rows = [(first_id + i, *person) for i, person in enumerate(people)]
        return await self._many("insert_user_with_id", rows)

    async def insert_one(self, person: Person) -> int:
        """Adds one person and answers the new id."""
        async with self._connection.cursor() as cursor:
            await cursor.execute(sql("insert_user", self._table), person)
            return int(cursor.lastrowid)

    async def update(self, user_ids: Sequence[int], people: Sequence[Person]) -> int:
        return await self._many("update_user", [(*p, i) for i, p in zip(user_ids, people, strict=True)])

    async def delete(self, user_ids: Sequence[int]) -> int:
        return await self._many("delete_user", [(i,) for i in user_ids])

    async def delete_chunk(self, limit: int) -> int:
        async with self._connection.cursor() as cursor:
            return int(await cursor.execute(sql("delete_chunk", self._table), (limit,)))

    async def _many(self, name: str, rows: Sequence[Sequence[Any]]) -> int:
        async with self._connection.cursor() as cursor:
            return int(await cursor.executemany(sql(name, self._table), rows) or 0)


class _as_unavailable:  # noqa: N801 - reads as a statement where it is used
    """Turns the driver's connection errors into ours."""

    def __init__(self, settings: Settings) -> None:
        self._where = f"{settings.mysql_host}:{settings.mysql_port}"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, tb: object) -> None:
        if isinstance(error, (aiomysql.OperationalError, aiomysql.InterfaceError, OSError)) and not isinstance(
            error, TimeoutError
        ):
            raise Unavailable(f"The database at {self._where} cannot be used: {error}", service="mysql") from error


def _in_utc(row: dict[str, Any]) -> dict[str, Any]:
    """The session's time zone is UTC, but the driver gives times without one."""
    return {name: value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for name, value in row.items()}
