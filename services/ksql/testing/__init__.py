"""A ksqlDB for tests: statements in, records in, rows out. No Kafka, no HTTP, no event loop.

    from services.ksql import testing as ksql

    with ksql.topology("CREATE STREAM ...; CREATE TABLE ... AS SELECT ...;") as t:
        t.pipe("topic", key, value, timestamp=1000)
        assert t.rows("OUT") == [...]

The names below are public and stable; docs/ksql-testing.md describes them.
"""

from services.ksql.errors import KsqlError
from services.ksql.functions.python import udaf, udf, udtf
from services.ksql.testing.topology import Row, Topology, topology

__all__ = ["KsqlError", "Row", "Topology", "topology", "udaf", "udf", "udtf"]
