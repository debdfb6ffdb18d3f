"""Runs folders of ksqlDB's query-validation cases through parser, analyser and engine, without Kafka."""
