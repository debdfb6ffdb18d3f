"""Kafka around the engine: fetch in step by event time, commit exactly once, recover, and the log of commands.

Everything here lives on one event loop in a thread of its own (``thread.py``), so that REST stays responsive while the
engine computes.
"""
