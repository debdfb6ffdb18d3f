"""Result tables against what they must hold, row for row."""

from __future__ import annotations

from tests.integration.recompute import Row, Table
from tests.integration.sources import pinot_table, without_stale_sessions

#: Pinot table -> the column of its groups
DIMENSIONS = {
    "pageview_country": "country",
    "pageview_tumbling": "source",
    "pageview_hopping": "source",
    "pageview_session": "source",
    "usersession_device": "device",
    "pageview_page": "page",
}


async def actual_tables(broker_url: str, expected: dict[str, Table]) -> dict[str, tuple[Table, int]]:
    """Every table of Pinot with the columns of the expected one, and its number of rows."""
    tables = {}
    for name, dimension in DIMENSIONS.items():
        columns = next(iter(expected[name].values())).keys()
        tables[name] = await pinot_table(broker_url, name, dimension, columns)
    return tables


def table_differences(expected: dict[str, Table], actual: dict[str, tuple[Table, int]]) -> list[str]:
    """One line per row that is missing, too many, different, or there twice."""
    found = []
    for name, (table, row_count) in actual.items():
        if row_count != len(table):
            found.append(f"{name}: {row_count} rows for {len(table)} windows")
        shown = without_stale_sessions(table) if name == "pageview_session" else table
        found += differences(name, expected[name], shown)
    return found


def differences(name: str, expected: Table, actual: Table) -> list[str]:
    """One line per row that is missing, too many or different; floats to nine digits."""

    def rounded(row: Row | None) -> Row | None:
        return row and {k: round(v, 9) if isinstance(v, float) else v for k, v in row.items()}

    return [
        f"{name} {key}: expected {expected.get(key)}, Pinot has {actual.get(key)}"
        for key in sorted(expected.keys() | actual.keys())
        if rounded(expected.get(key)) != rounded(actual.get(key))
    ]
