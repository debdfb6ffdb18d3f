import httpx
import pytest

from shared.errors import Conflict, DeadlineExceeded, PagePulseError, Unavailable, UpstreamError
from shared.http import call, create_client


def answering(status: int, **response: object) -> httpx.AsyncClient:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, **response))  # type: ignore[arg-type]
    return create_client("http://peer", transport=transport)


def failing(error: Exception) -> httpx.AsyncClient:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise error

    return create_client("http://peer", transport=httpx.MockTransport(refuse))


@pytest.mark.parametrize(
    ("client", "error", "detail"),
    [
        (answering(409, json={"detail": "already running"}), Conflict, "already running"),
        (answering(400, json={"error_code": 40001, "message": "no such stream"}), PagePulseError, "no such stream"),
        (answering(500, text="boom"), UpstreamError, "boom"),
        (answering(503), Unavailable, "HTTP 503"),
        (failing(httpx.ConnectError("refused")), Unavailable, "^peer at http://peer cannot be reached: refused$"),
        (
            failing(httpx.ReadTimeout("slow")),
            DeadlineExceeded,
            "^peer at http://peer did not answer GET /thing in time$",
        ),
    ],
)
async def test_what_a_peer_does_becomes_our_error(
    client: httpx.AsyncClient, error: type[PagePulseError], detail: str
) -> None:
    async with client:
        with pytest.raises(error, match=detail):
            await call(client, "GET", "/thing", service="peer")


async def test_a_good_answer_passes() -> None:
    async with answering(200, json={"ok": True}) as client:
        assert (await call(client, "GET", "/", service="peer")).json() == {"ok": True}
