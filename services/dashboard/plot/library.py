"""plotly.js as the Python package brings it, served from here: the browser fetches it once and keeps it."""

from __future__ import annotations

import asyncio
import gzip
from functools import cache
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

    async def script(request: Request) -> Response:
        headers = {"Cache-Control": _FOREVER, "Vary": "Accept-Encoding"}
        if "gzip" not in request.headers.get("Accept-Encoding", ""):
            return FileResponse(_FILE, media_type="text/javascript", headers=headers)
        packed = await asyncio.to_thread(_packed)
        return Response(packed, media_type="text/javascript", headers={**headers, "Content-Encoding": "gzip"})

    return Route(f"/{address()}", script)


@cache
def _packed() -> bytes:
    """Packed once: Streamlit's middleware would do it for each browser, on the event loop."""
    return gzip.compress(_FILE.read_bytes())
