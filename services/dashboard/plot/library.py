"""plotly.js as the Python package brings it, served from here: the browser fetches it once and keeps it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import plotly
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

_FILE: Final = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
#: the version is in the address, so what is behind it never changes
_FOREVER: Final = "public, max-age=31536000, immutable"


def address() -> str:
    """Relative to a page, so that it also holds behind a proxy with a path of its own."""
    return f"plotly/{plotly.__version__}/plotly.min.js"


def route() -> Route:
    """The route that answers to ``address``."""

    async def script(_: Request) -> Response:
        return FileResponse(_FILE, media_type="text/javascript", headers={"Cache-Control": _FOREVER})

    return Route(f"/{address()}", script)
