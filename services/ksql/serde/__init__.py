"""Bytes to values and back, per format, with ksqlDB's leniencies."""
