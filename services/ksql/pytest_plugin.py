"""The pytest plugin: fixture ``ksql``, a readable difference of rows, and with ``--ksql`` the ``.sql`` files as tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from services.ksql.testing.files import FileTest, ThreeFiles

# The engine is imported by what uses it: pytest loads this module in every project in whose environment PagePulse is installed.
# ruff: noqa: PLC0415


def pytest_addoption(parser: pytest.Parser) -> None:
    help_text = "collect .sql files with --@test directives, and statements with input and output files, as tests"
    parser.getgroup("ksql").addoption("--ksql", action="store_true", default=False, help=help_text)
    parser.addini("ksql", help_text, type="bool", default=False)


@pytest.fixture
def ksql() -> Any:
    """The module ``services.ksql.testing``: ``with ksql.topology(...) as t``."""
    from services.ksql import testing

    return testing


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix != ".sql" or not (parent.config.getoption("ksql") or parent.config.getini("ksql")):
        return None
    return _SqlFile.from_parent(parent, path=file_path)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Two lists of rows, row by row."""
    import sys

    testing = sys.modules.get("services.ksql.testing")
    if testing is None or op != "==" or not (isinstance(left, list) and isinstance(right, list)):
        return None
    if not any(isinstance(row, testing.Row) for row in (*left, *right)):
        return None
    from services.ksql.testing.files import difference

    return ["the rows differ", *difference(right, left).splitlines()]


class _SqlFile(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        from services.ksql.testing.files import find

        try:
            found = list(find(self.path))
        except ValueError as error:
            raise self.CollectError(str(error)) from error
        for test in found:
            yield _SqlItem.from_parent(self, name=test.name, test=test)


class _SqlItem(pytest.Item):
    def __init__(self, *, test: FileTest | ThreeFiles, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._test = test

    def runtest(self) -> None:
        self._test.run()

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        from services.ksql.errors import KsqlError
        from services.ksql.testing.files import CaseFailure

        if isinstance(excinfo.value, KsqlError):
            where = f"\nStatement: {excinfo.value.statement}" if excinfo.value.statement else ""
            return f"{excinfo.value.message}{where}"
        if isinstance(excinfo.value, CaseFailure | ValueError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, getattr(self._test, "line", 1) - 1, self.name
