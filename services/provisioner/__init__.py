"""The provisioner: makes the pipeline on Kafka, Connect, ksqlDB and Pinot over their APIs, watches it and audits it."""
