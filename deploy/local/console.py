"""What a person sees: the table of components, the table of URLs, and failures. Pure: values in, rich renderables out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from deploy.local.board import Board, Health, Line, Phase
from deploy.local.errors import ComponentFailed, StackError
from deploy.local.inspection import Inspection
from deploy.local.ports import HOST, PortName, Ports

_STYLES: Mapping[Health, str] = {
    Health.WAITING: "dim",
    Health.PREPARING: "cyan",
    Health.STARTING: "cyan",
    Health.HEALTHY: "green",
    Health.UNHEALTHY: "yellow",
    Health.RESTARTING: "yellow",
    Health.FAILED: "bold red",
    Health.STOPPING: "cyan",
    Health.STOPPED: "dim",
    Health.UNSUPERVISED: "yellow",
}

_PAGES: tuple[tuple[str, PortName, str], ...] = (
    ("Dashboard", "dashboard", ""),
    ("Shop to try it with", "collector", "/shop/"),
    ("Generator API", "generator", "/docs"),
    ("Collector API", "collector", "/docs"),
    ("Seeder API", "seeder", "/docs"),
    ("Provisioner API", "provisioner", "/docs"),
    ("ksql API", "ksql", "/docs"),
    ("Pinot query console", "pinot_controller", "/#/query"),
    ("Kafka Connect", "connect", "/connectors"),
    ("ksql (ksqlDB's REST API)", "ksql", "/info"),
)


def board(run: Board, *, load: str = "") -> RenderableType:
    """The live status: one line per component, one for the run."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("component")
    table.add_column("state")
    table.add_column("start", justify="right")
    table.add_column("pid", justify="right", style="dim")
    table.add_column("note", overflow="fold")
    for line in run.lines.values():
        table.add_row(line.title, Text(line.state, _STYLES[line.state]), _seconds(line), str(line.pid or ""), line.note)
    return Group(table, headline(run, load=load))


def inspection(found: Inspection) -> RenderableType:
    """What ``status`` found."""
    if found.supervised and found.board.lines:
        return board(found.board)
    parts: list[RenderableType] = [Text(line, "yellow") for line in found.words()]
    if found.left:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
        table.add_column("still runs")
        table.add_column("pid", justify="right")
        for name, pid in found.left.items():
            table.add_row(name, str(pid))
        parts.append(table)
    return Group(*parts)


def headline(run: Board, *, load: str = "") -> Text:
    """The run in one line."""
    if run.phase is Phase.READY:
        down = [line.title for line in run.unhealthy()]
        what = (
            Text(f"not healthy: {', '.join(down)}", "yellow")
            if down
            else Text(f"ready after {run.ready_after} s", "green")
        )
    elif run.phase is Phase.FAILED:
        what = Text(run.detail, "bold red")
    elif run.phase is Phase.INCOMPLETE:
        what = Text(f"the servers run, the pipeline is not set up: {run.detail}", "bold red")
    elif run.phase is Phase.STOPPED:
        what = Text("everything is stopped", "dim")
    else:
        what = Text(f"{run.phase} {run.detail}".strip() + " ...", "cyan")
        if run.phase is not Phase.STOPPING and run.detail and (late := still_starting(run)):
            what.append(f" ({late})", "yellow")
    return what + Text(f"   {load}" if load and run.phase is Phase.READY else "")


def still_starting(run: Board) -> str:
    """Which components are not healthy yet; empty if all are."""
    return f"still starting: {', '.join(line.title for line in run.unhealthy())}" if run.unhealthy() else ""


def event(run: Board, line: Line) -> Text:
    """One change of one component, for a terminal that cannot redraw."""
    duration = f" after {line.seconds} s" if line.state is Health.HEALTHY and line.seconds is not None else ""
    return Text.assemble(
        f"{line.title}: ", (line.state, _STYLES[line.state]), duration, f" ({line.note})" if line.note else ""
    )


def urls(ports: Ports, brokers: int, components: Collection[str]) -> Table:
    """Where the components that are part of the run are."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    table.add_column("what")
    table.add_column("where", style="bold", overflow="fold")
    for what, name, path in _PAGES:
        if name.removesuffix("_controller") in components:
            table.add_row(what, ports.url(name) + path)
    table.add_row("Kafka brokers", ports.bootstrap(brokers))
    table.add_row("MariaDB", f"{HOST}:{ports['mariadb']}")
    return table


def failure(error: StackError) -> RenderableType:
    """An error that the CLI caught."""
    tail = list(error.tail) if isinstance(error, ComponentFailed) else []
    return published_failure({"reason": error.reason, "hint": error.hint, "log": str(error.log or ""), "tail": tail})


def published_failure(error: Mapping[str, Any]) -> RenderableType:
    """What went wrong, the last lines of the log, where the log is, and what to do."""
    body = Text(str(error["reason"]), "bold")
    if error.get("tail"):
        body.append("\n\n" + "\n".join(error["tail"]), "dim")
    if error.get("log"):
        body.append(f"\n\nlog: {error['log']}", "default")
    if error.get("hint"):
        body.append(f"\n{error['hint']}", "default")
    return Panel(body, title="failed", title_align="left", border_style="red", box=box.ROUNDED)


def _seconds(line: Line) -> str:
    return f"{line.seconds:.1f} s" if line.seconds is not None else ""
