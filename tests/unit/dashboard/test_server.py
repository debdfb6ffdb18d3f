from __future__ import annotations

from pathlib import Path

from services.dashboard.server import command, flags
from services.dashboard.settings import Settings


def test_streamlit_is_quiet_and_local() -> None:
    options = flags(Settings(port=9999))
    assert options["server.address"] == "127.0.0.1"
    assert options["server.port"] == "9999"
    assert options["browser.gatherUsageStats"] == "false"
    assert options["server.headless"] == "true"
    assert options["server.fileWatcherType"] == "none"


def test_the_script_is_alone_with_what_is_served() -> None:
    """A folder named pages beside the script would be run by Streamlit on a link straight to a page."""
    script = next(Path(part) for part in command(Settings()) if part.endswith("script.py"))
    assert script.is_file()
    assert not (script.parent / "pages").exists()
    assert Path(flags(Settings())["theme.base"]).is_file()
