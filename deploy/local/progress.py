"""Progress of long steps: a live display on a terminal, one line per event elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import Progress as RichProgress
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

from deploy.local.waiting import until

POLL = timedelta(milliseconds=200)


class Step:
    """One step under way. Call it with the latest detail."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self.note = ""

    def __call__(self, detail: str) -> None:
        self._show(detail)

    def skipped(self, note: str) -> None:
        """The step gave up, which does no harm; ``note`` says why."""
        self.note = note


class Progress:
    """Steps of a set-up; several may be under way at the same time."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: RichProgress | None = None
        self._running = 0

    @contextmanager
    def step(self, what: str) -> Iterator[Step]:
        """Shows ``what`` with its latest detail and its time until the block ends."""
        begun = time.monotonic()
        if not self._console.is_terminal:
            self._console.print(f"{what} ...")
            step = Step(lambda detail: None)
            yield step
            self._done(what, begun, step)
            return
        display = self._display()
        task = display.add_task(what, total=None, detail="")
        step = Step(lambda detail: display.update(task, detail=detail[:80]))
        self._running += 1
        try:
            yield step
            self._done(what, begun, step)
        finally:
            display.remove_task(task)
            self._running -= 1
            if self._running == 0:
                display.stop()
                self._live = None

    async def patiently(self, what: str, attempt: Callable[[], bool]) -> None:
        """Repeats ``attempt`` until it succeeds, and says so if that takes a while."""
        if attempt():
            return
        with self.step(f"waiting for {what}"):
            await until(attempt, every=POLL)

    def _display(self) -> RichProgress:
        if self._live is None:
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}"),
                TimeElapsedColumn(),
                TextColumn("[dim]{task.fields[detail]}"),
            )
            self._live = RichProgress(*columns, console=self._console, transient=True)
            self._live.start()
        return self._live

    def _done(self, what: str, begun: float, step: Step) -> None:
        seconds = time.monotonic() - begun
        note = f": {step.note}" if step.note else f" ({seconds:.1f} s)"
        self._console.print(f"[{'yellow' if step.note else 'green'}]{'-' if step.note else '✓'}[/] {what}{note}")
