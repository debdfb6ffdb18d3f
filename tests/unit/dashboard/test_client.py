from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from services.dashboard.client import Peer
from shared.errors import Conflict, DeadlineExceeded, Unavailable, UpstreamError
from tests.unit.dashboard.fakes import Pinot, Services, backend


def test_every_call_says_what_the_apis_expect() -> None:
    services = Services()
    control = backend(Pinot(), services).control
    control.start({"rate": 200})
    control.set_rate(500)
    control.set_profile({"kind": "sine"})
    control.pause()
    control.resume()
    control.stop()
    control.seed({"count": 10})
    control.start_mutations({"updates_per_s": 1})
    control.stop_mutations()
    control.apply()
    control.verify(timeout=timedelta(seconds=5))
    control.teardown(delete_topics=True)
    assert services.calls == [
        ("POST", "/generator/start", {"rate": 200}),
        ("PUT", "/generator/rate", {"rate": 500}),
        ("PUT", "/generator/profile", {"profile": {"kind": "sine"}}),
        ("POST", "/generator/pause", None),
        ("POST", "/generator/resume", None),
        ("POST", "/generator/stop", None),
        ("POST", "/seeder/seed", {"count": 10}),
        ("POST", "/seeder/mutations", {"updates_per_s": 1}),
        ("DELETE", "/seeder/mutations", None),
        ("POST", "/provisioner/apply", None),
        ("POST", "/provisioner/verify", None),
        ("POST", "/provisioner/teardown", {"delete_topics": True}),
    ]


def test_a_refusal_carries_the_problems_detail() -> None:
    services = Services()
    services.refuse = "It runs already."
    with pytest.raises(Conflict, match="It runs already"):
        backend(Pinot(), services).control.start({"rate": 1})


@pytest.mark.parametrize(
    ("failure", "expected", "words"),
    [
        (httpx.ConnectError("refused"), Unavailable, "seeder at http://seeder cannot be reached: refused"),
        (
            httpx.ReadTimeout("slow"),
            DeadlineExceeded,
            "seeder at http://seeder did not answer GET /seeder/status in time",
        ),
    ],
)
def test_a_peer_that_is_unavailable_is_named(failure: Exception, expected: type[Exception], words: str) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        raise failure

    second = timedelta(seconds=1)
    peer = Peer("seeder", "http://seeder", timeout=second, action_timeout=second, transport=httpx.MockTransport(handle))
    with pytest.raises(expected) as caught:
        peer.get("/seeder/status")
    assert str(caught.value) == words


def test_a_crash_of_a_peer_is_an_upstream_error() -> None:
    second = timedelta(seconds=1)
    transport = httpx.MockTransport(lambda _: httpx.Response(500, text="boom"))
    peer = Peer("seeder", "http://seeder", timeout=second, action_timeout=second, transport=transport)
    with pytest.raises(UpstreamError, match="boom"):
        peer.send("POST", "/seeder/seed", {})
