"""Turns this process into Streamlit's server: headless, quiet, without telemetry, with our theme."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from services.dashboard.settings import Settings, get_settings

_HERE = Path(__file__).parent
_ROOT = _HERE.parent.parent


def flags(settings: Settings) -> dict[str, str]:
    """Streamlit's options, name to value."""
    return {
        "server.address": settings.host,
        "server.port": str(settings.port),
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.runOnSave": "false",
        # the outlines of the countries are served from here, so that no map is fetched from outside
        "server.enableStaticServing": "true",
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "viewer",
        "client.showErrorDetails": "none",
        "client.showSidebarNavigation": "true",
        "logger.level": settings.log_level.lower(),
        "logger.hideWelcomeMessage": "true",
        "theme.base": str(_HERE / "theme.toml"),
    }


def hosts(settings: Settings) -> tuple[str, ...]:
    """Names under which a browser may open the dashboard: a page that rebinds a name of its own to our address has another."""
    return ("localhost", "127.0.0.1", "::1", settings.host, *settings.allowed_hosts)


def command(settings: Settings) -> list[str]:
    """The command line that serves the dashboard."""
    options = [f"--{name}={value}" for name, value in flags(settings).items()]
    options += [f"--server.allowedHosts={host}" for host in hosts(settings)]
    return [sys.executable, "-m", "streamlit", "run", str(_HERE / "web" / "script.py"), *options]


def main() -> None:
    """Replaces this process, so that signals of a supervisor reach Streamlit itself."""
    arguments = command(get_settings())
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    os.execve(arguments[0], arguments, {**os.environ, "PYTHONPATH": path})  # noqa: S606
