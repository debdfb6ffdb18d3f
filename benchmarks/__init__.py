"""Benchmarks: each is a command, prints a table, and writes JSON when asked to."""
