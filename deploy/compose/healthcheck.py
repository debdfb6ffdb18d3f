"""Exit status 0 if the service of this container answers 200 on its health path: ``python healthcheck.py``."""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection, HTTPException

#: below the timeout of the image's HEALTHCHECK, so that the reason is still printed
TIMEOUT_S = 4.0


def status_of(path: str, port: int) -> int:
    """The HTTP status of a GET on this machine's loopback address.

    Raises:
        OSError, HTTPException: no answer.
    """
    connection = HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


if __name__ == "__main__":
    try:
        status = status_of(os.environ["PAGEPULSE_HEALTH_PATH"], int(os.environ["PAGEPULSE_PORT"]))
    except (OSError, HTTPException) as error:
        sys.exit(f"no answer: {error}")
    sys.exit(0 if status == 200 else f"status {status}")
