"""The whole pipeline as processes on this machine, and the command ``pagepulse``."""

import sys

# httpx imports a command line of its own, and with it rich and pygments, unless one of its parts is missing: 0.1 s of CPU in every call.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
