"""Errors of the local stack, for a person at a terminal.

StackError
├── SetupError          something that must be installed is missing or could not be fetched
├── PortTaken           another process listens on a port of the stack
├── AlreadyRunning      a supervisor of this state folder is alive
├── OtherLayout         the folder's data were made with other ports or another number of brokers
├── NotRunning          a command that needs the stack found none
├── ComponentFailed     a component did not become healthy
├── ServiceRefused      a service answered a request with an error
└── RecordingFailed     records cannot be read, or their file cannot be written
"""

from __future__ import annotations

from pathlib import Path


class StackError(Exception):
    """The root. ``reason`` is one sentence; ``hint`` says what to do; ``log`` is the file that has the details."""

    def __init__(self, reason: str, *, hint: str | None = None, log: Path | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.log = log


class SetupError(StackError):
    """A package, a runtime or a jar is missing and could not be installed."""


class PortTaken(StackError):
    """A port of the stack is in use."""


class AlreadyRunning(StackError):
    """Another supervisor owns the state folder."""


class OtherLayout(StackError):
    """The data in the state folder work only with the ports and the number of brokers that they were made with."""


class NotRunning(StackError):
    """No supervisor owns the state folder."""


class ServiceRefused(StackError):
    """A service answered with a problem document, or not at all. ``transient``: the same request may succeed later."""

    def __init__(self, service: str, reason: str, *, hint: str | None = None, transient: bool = False) -> None:
        super().__init__(reason, hint=hint)
        self.service = service
        self.transient = transient


class RecordingFailed(StackError):
    """Records cannot be read, or their file cannot be written."""


class ComponentFailed(StackError):
    """A component ended, or was not healthy in time. ``tail`` holds the last lines of its log."""

    def __init__(self, component: str, reason: str, *, log: Path, tail: tuple[str, ...] = ()) -> None:
        super().__init__(f"{component}: {reason}", log=log)
        self.component = component
        self.tail = tail
