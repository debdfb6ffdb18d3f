from __future__ import annotations

from pathlib import Path

from streamlit.web.server.app_discovery import discover_asgi_app

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
    assert (script.parent / "page.py").is_file()
    assert not (script.parent / "pages").exists()


def test_streamlit_sees_that_the_script_is_an_app_with_routes_of_its_own() -> None:
    script = next(Path(part) for part in command(Settings()) if part.endswith("script.py"))
    assert discover_asgi_app(script).import_string == "script:app"
    assert Path(flags(Settings())["theme.base"]).is_file()


def test_it_is_opened_under_known_names_only() -> None:
    options = command(Settings(allowed_hosts=("dash.example.org",)))
    names = [option.partition("=")[2] for option in options if option.startswith("--server.allowedHosts=")]
    assert {"localhost", "127.0.0.1", "::1", "dash.example.org"} == set(names)
