"""All drills, in the order of the table."""

from __future__ import annotations

from typing import Final

from benchmarks.drills.drill import Drill
from benchmarks.drills.faults import (
    clock_ahead,
    collector_disk_full,
    connector_paused,
    disk_full,
    freeze_broker,
    kafka_away,
    kill_broker,
    kill_collector,
    kill_connect,
    kill_generator,
    kill_ksql,
    kill_mariadb,
    kill_pinot,
    kill_provisioner,
    kill_supervisor,
    kill_two_brokers,
    kill_zookeeper,
    leader_moved,
    none,
    restart_all,
    topic_deleted,
)

DRILLS: Final = (
    Drill("none", "none, to compare with", none.strike),
    Drill("kill-broker", "kill -9 of one broker", kill_broker.strike),
    Drill("kill-two-brokers", "kill -9 of two brokers at once", kill_two_brokers.strike),
    Drill("kill-connect", "kill -9 of Connect", kill_connect.strike),
    Drill("kill-mariadb", "kill -9 of MariaDB", kill_mariadb.strike),
    Drill("kill-ksql", f"kill -9 of the ksql engine, {kill_ksql.KILLS} times at random", kill_ksql.strike),
    Drill("kill-pinot", "kill -9 of Pinot", kill_pinot.strike),
    Drill("kill-zookeeper", "kill -9 of ZooKeeper", kill_zookeeper.strike),
    Drill("kill-generator", "kill -9 of the generator", kill_generator.strike),
    Drill("kill-collector", "kill -9 of the collector, 3 times among 10,000 beacons", kill_collector.strike),
    Drill("kill-provisioner", "kill -9 of the provisioner in apply", kill_provisioner.strike, kill_provisioner.remedy),
    Drill(
        "kill-supervisor", "kill -9 of the supervisor, `up` 10 s later", kill_supervisor.strike, kill_supervisor.remedy
    ),
    Drill("freeze-broker", "a broker is suspended for 20 s", freeze_broker.strike),
    Drill(
        "disk-full",
        "the disk of one broker full for 15 s",
        disk_full.strike,
        disk=disk_full.DISK,
    ),
    Drill("kafka-away", "two brokers suspended while visitors send 5,000 beacons", kafka_away.strike),
    Drill(
        "collector-disk-full",
        "the disk of the collector full for 10 s",
        collector_disk_full.strike,
        disk=collector_disk_full.DISK,
    ),
    Drill("clock-ahead", "the clock of a producer two hours ahead", clock_ahead.strike),
    Drill("topic-deleted", "a result topic deleted, then `apply`", topic_deleted.strike, topic_deleted.remedy),
    Drill(
        "connector-paused",
        "the connector paused for 10 s, then `apply`",
        connector_paused.strike,
        connector_paused.remedy,
    ),
    Drill("leader-moved", "the leader of a partition moved", leader_moved.strike),
    Drill(
        "restart-all",
        "everything stopped and started in the middle of a window",
        restart_all.strike,
        restart_all.remedy,
    ),
)


def named(name: str) -> Drill:
    """Raises KeyError."""
    return {drill.name: drill for drill in DRILLS}[name]
