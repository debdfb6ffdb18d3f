"""From a rate and a population to partitions, nodes, disk and network. All is plain arithmetic over ``facts.toml``."""

from __future__ import annotations

from math import ceil

from deploy.sizing.facts import Facts
from deploy.sizing.ksqldb import ksqldb
from deploy.sizing.sheet import Sheet, figure

_DAY_S = 86_400
_HOUR_S = 3_600
_MEGA = 1e6
_TERA = 1e12
#: partitions come in sixes: they divide by two and by three, so that two or three nodes share them evenly
_PARTITION_STEP = 6


def size(rate: float, users: float, facts: Facts) -> Sheet:
    """``rate`` in events/s, page views and logins together; ``users`` is the number of people in the table."""
    sheet = Sheet()
    views = sheet.put("load", "page views", rate * facts.view_share, "/s", f"{figure(rate)} × {facts.view_share}")
    logins = sheet.put("load", "logins", rate - views, "/s", f"{figure(rate)} − {figure(views)}")
    pods = ceil(rate / facts.generator_rate)
    sheet.put("load", "generator processes", pods, "", f"⌈{figure(rate)} / {figure(facts.generator_rate)}⌉")
    _embedded(sheet, rate, facts)
    threads = ksqldb(sheet, views, logins, users, facts)
    partitions = _PARTITION_STEP * ceil(threads / _PARTITION_STEP)
    sheet.put(
        "Kafka", "partitions per topic", partitions, "", f"a thread each for the join: ⌈{figure(threads)}⌉, in sixes"
    )
    _kafka(sheet, views, logins, users, facts)
    _users(sheet, users, facts)
    _pinot(sheet, facts)
    return sheet


def _embedded(sheet: Sheet, rate: float, facts: Facts) -> None:
    share = rate / facts.embedded_rate
    note = "" if share <= 1 else "The embedded engine is one process: this rate needs the real ksqlDB."
    sheet.put(
        "embedded ksql", "share of its measured rate", 100 * share, "%",
        f"{figure(rate)} / {figure(facts.embedded_rate)}", note=note,
    )  # fmt: skip


def _kafka(sheet: Sheet, views: float, logins: float, users: float, facts: Facts) -> None:
    raw = sheet.put(
        "Kafka", "raw events", (views * facts.view_bytes + logins * facts.login_bytes) / _MEGA, "MB/s",
        f"{figure(views)} × {figure(facts.view_bytes)} B + {figure(logins)} × {figure(facts.login_bytes)} B",
    )  # fmt: skip
    enriched = sheet.put(
        "Kafka", "enriched views", views * facts.enriched_bytes / _MEGA, "MB/s",
        f"{figure(views)} × {figure(facts.enriched_bytes)} B",
    )  # fmt: skip
    # ksqlDB writes a record once more for each query that groups or joins by another key than the topic's.
    repartitioned = sheet.put(
        "Kafka", "repartitioned", 5 * views * facts.view_bytes / _MEGA + enriched + logins * facts.login_bytes / _MEGA, "MB/s",
        "views 5 × (join, tumbling, hopping, session, page), enriched 1 × (country), logins 1 × (device)",
    )  # fmt: skip
    changelog = sheet.value("changelog of sketches")
    written = raw + enriched + repartitioned + changelog
    stored = sheet.put(
        "Kafka", "written with replicas", written * facts.replicas, "MB/s",
        f"({figure(raw)} + {figure(enriched)} + {figure(repartitioned)} + {figure(changelog)}) × {figure(facts.replicas)}",
    )  # fmt: skip
    read = written + 4 * raw
    sheet.put("Kafka", "read by queries and tables", read, "MB/s", "all of it once, raw views by five queries")
    kept = (raw + enriched) * _MEGA * facts.retention_days * _DAY_S + users * (
        facts.user_bytes + facts.clean_user_bytes
    )
    disk = sheet.put(
        "Kafka", "disk", kept * facts.replicas / facts.disk_fill / _TERA, "TB",
        f"({figure(raw)} + {figure(enriched)}) MB/s × {figure(facts.retention_days)} days, and the users, "
        f"× {figure(facts.replicas)} / {facts.disk_fill}",
    )  # fmt: skip
    by_write, by_disk = ceil(stored / facts.broker_write), ceil(disk / facts.broker_disk)
    sheet.put(
        "Kafka", "brokers", max(3, by_write, by_disk), "",
        f"most of 3, ⌈{figure(stored)} / {figure(facts.broker_write)} MB/s⌉, ⌈{figure(disk)} / {figure(facts.broker_disk)} TB⌉",
    )  # fmt: skip


def _users(sheet: Sheet, users: float, facts: Facts) -> None:
    note = (
        "Load the users from a file into the topic instead; the connector then follows changes." if users > 1e7 else ""
    )
    sheet.put(
        "users", "first copy", users / facts.copy_rate / _HOUR_S, "h",
        f"{figure(users)} / {figure(facts.copy_rate)}/s", note=note,
    )  # fmt: skip


def _pinot(sheet: Sheet, facts: Facts) -> None:
    windows = 3 * facts.sources * 60 + (facts.countries + facts.pages) * 12
    rows = sheet.put(
        "Pinot", "rows per hour", windows + facts.sources * _HOUR_S / 30, "",
        f"3 tables × {figure(facts.sources)} × 60 + "
        f"({figure(facts.countries)} + {figure(facts.pages)}) × 12 + at most {figure(facts.sources)} × 3,600 / 30 sessions",
    )  # fmt: skip
    kept = sheet.put(
        "Pinot", "rows kept", rows * 24 * facts.row_retention_days, "",
        f"{figure(rows)} × 24 × {figure(facts.row_retention_days)} days: windows, however many events are in them",
    )  # fmt: skip
    sheet.put(
        "Pinot", "data per copy", kept * facts.row_bytes / _MEGA, "MB", f"{figure(kept)} × {figure(facts.row_bytes)} B"
    )
    heap = kept * facts.key_heap_bytes / _MEGA
    sheet.put("Pinot", "heap for upsert", heap, "MB", f"{figure(kept)} × {figure(facts.key_heap_bytes)} B")
    servers = max(2, 2 * ceil(kept / facts.server_keys))
    sheet.put("Pinot", "servers", servers, "", f"two copies of ⌈{figure(kept)} / {figure(facts.server_keys)}⌉")
