"""The runtime around the engine: consumers, event-time merge, scheduler, transactional commits, changelog, command log, recovery.

Everything here lives on one event loop in a thread of its own (``thread.py``), so that REST stays responsive while the
engine computes.
"""
